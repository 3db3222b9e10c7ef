// The behaviour's editor: profiles to begin with, the settings in TOML, and
// what is wrong with them, with its line selected.

import { timeOfDay } from "./format.js";

const element = (id) => document.getElementById(id);

export class Behavior {
  #feed;
  #profiles = [];
  #inUse = "";
  /** Counts what was found or put in use, so that what was asked before is
   *  known to be old. */
  #version = 0;
  #text = element("behavior-text");
  #changed;

  /** changed(): something else is in use; what it waits for is awaited. */
  constructor(feed, changed) {
    this.#feed = feed;
    this.#changed = changed;
    element("profile").addEventListener("change", () => this.#begin());
    element("behavior-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply();
    });
    element("behavior-revert").addEventListener("click", () => this.#revert());
    this.#text.addEventListener("input", () => this.#edited());
    this.#text.addEventListener("scroll", () => {
      element("gutter").scrollTop = this.#text.scrollTop;
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.#apply();
    });
  }

  /** What there is to begin with. */
  get profiles() {
    return this.#profiles;
  }

  /** Reads the profiles and what is in use. */
  async load() {
    const [profiles, inUse] = await Promise.all([
      this.#feed.call("/behavior/profiles").then((reply) => reply.json()),
      this.#feed.call("/behavior").then((reply) => reply.text()),
    ]);
    this.#profiles = profiles;
    const own = new Option("Settings of your own", "");
    element("profile").replaceChildren(...profiles.map(({ name, title }) => new Option(title, name)), own);
    this.#uses(inUse);
    this.#show(inUse);
  }

  /** What is in use may have been changed by others since. */
  async refresh() {
    const version = this.#version;
    const inUse = await (await this.#feed.call("/behavior")).text();
    if (version !== this.#version) return;
    const untouched = this.#text.value === this.#inUse;
    this.#uses(inUse);
    if (untouched) this.#show(inUse);
  }

  /** Puts a profile in use. What somebody is writing stays as it is. */
  async use(name) {
    const { toml } = this.#profiles.find((profile) => profile.name === name);
    const untouched = this.#text.value === this.#inUse;
    await this.#put(toml);
    if (untouched) this.#show(toml);
    else this.#edited();
  }

  async #put(text) {
    await this.#feed.call("/behavior", { method: "PUT", headers: { "Content-Type": "application/toml" }, body: text });
    this.#uses(text);
    await this.#changed();
  }

  #uses(text) {
    this.#inUse = text;
    this.#version += 1;
  }

  #profileOf(text) {
    return this.#profiles.find(({ toml }) => toml.trim() === text.trim());
  }

  #begin() {
    const profile = this.#profiles.find(({ name }) => name === element("profile").value);
    if (profile) this.#show(profile.toml);
    else this.#edited();
  }

  async #revert() {
    try {
      this.#uses(await (await this.#feed.call("/behavior")).text());
    } catch {
      this.#tell("fault", "It could not be read. The simulator may have stopped.");
      return;
    }
    this.#show(this.#inUse);
  }

  #show(text) {
    this.#text.value = text;
    this.#text.setSelectionRange(0, 0);
    this.#text.scrollTop = 0;
    this.#edited();
  }

  #edited() {
    const lines = this.#text.value.split("\n").length;
    element("gutter").textContent = Array.from({ length: lines }, (_, at) => at + 1).join("\n");
    element("gutter").scrollTop = this.#text.scrollTop;
    this.#text.removeAttribute("aria-invalid");
    const profile = this.#profileOf(this.#text.value);
    element("profile").value = profile?.name ?? "";
    element("profile-description").textContent = profile?.description ?? "None of the profiles, or one that was changed.";
    if (this.#text.value === this.#inUse) this.#tell("", "This is in use.");
    else this.#tell("", "Not applied yet.");
  }

  async #apply() {
    const text = this.#text.value;
    try {
      await this.#put(text);
    } catch (error) {
      this.#refused(error);
      return;
    }
    this.#text.removeAttribute("aria-invalid");
    this.#tell("good", `Applied at ${timeOfDay(Date.now())}.`);
  }

  #refused({ problem, detail }) {
    if (problem?.line === undefined) {
      this.#tell("fault", detail ?? "It was not applied. The simulator may have stopped.");
      return;
    }
    const field = problem.field ? `${problem.field}: ` : "";
    this.#tell("fault", `Line ${problem.line}, column ${problem.column}: ${field}${problem.detail}`);
    this.#text.setAttribute("aria-invalid", "true");
    this.#select(problem.line);
  }

  /** Selects a line and brings it into view. */
  #select(line) {
    const lines = this.#text.value.split("\n");
    const at = Math.min(Math.max(line, 1), lines.length) - 1;
    const start = lines.slice(0, at).reduce((sum, before) => sum + before.length + 1, 0);
    this.#text.focus();
    this.#text.setSelectionRange(start, start + lines[at].length);
    const height = this.#text.scrollHeight / lines.length;
    this.#text.scrollTop = Math.max(0, height * at - this.#text.clientHeight / 2);
  }

  #tell(kind, what) {
    const told = element("behavior-told");
    told.dataset.kind = kind;
    told.textContent = what;
    told.hidden = what === "";
  }
}
