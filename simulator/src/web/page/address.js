// What is shown, as the page's address says it: a conversation (#/62812…), one message of it
// (#/62812…/<message id>), the behaviour (#/behavior), or nothing beside the handsets.

export const NOTHING = "#/";
export const BEHAVIOR = "#/behavior";

/** Numbers as SMPP has them, and ids in any form that the SMSC gives out. */
const CONVERSATION = /^#\/\+?(\d{1,20})(?:\/([\w-]{1,65}))?$/;

export function conversationAt(number, id = null) {
  return id === null ? `#/${number}` : `#/${number}/${id}`;
}

function placeOf(hash) {
  if (hash === BEHAVIOR) return { sheet: "behavior", number: null, id: null };
  const [, number = null, id = null] = CONVERSATION.exec(hash) ?? [];
  return { sheet: number === null ? null : "conversation", number, id };
}

export class Address {
  #show;

  /** show({sheet, number, id}): the address has changed, also by back and forward. */
  constructor(show) {
    this.#show = show;
    addEventListener("popstate", () => this.apply());
  }

  /** Shows what the address says. */
  apply() {
    this.#show(placeOf(location.hash));
  }

  /** Goes to another place, from which Back leads here again. */
  go(hash) {
    if (location.hash === hash) return;
    history.pushState(null, "", hash);
    this.apply();
  }
}
