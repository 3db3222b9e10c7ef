// Calls the bank's server.

const REPLY_TIMEOUT_MS = 20_000; // Longer than the bank waits for the gateway, retry included.

// What the bank answers; without an answer the outcome is not known.
export async function call(method, path, body) {
  try {
    const reply = await fetch(`/api/${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(REPLY_TIMEOUT_MS),
    });
    return await reply.json();
  } catch {
    return { outcome: "no_answer" };
  }
}
