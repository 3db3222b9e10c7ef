// A payment as a banking core in TypeScript would write it. The compiler alone looks at it: what is right compiles, and
// what the contract refuses is an error, which a line with @ts-expect-error asks for.
import createClient from "openapi-fetch";
import type { components, paths } from "contract";

type Schemas = components["schemas"];

const gateway = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });
const subscriber: Schemas["Subscriber"] = { corporate_id: "NUSA01", user_id: "budi.santoso" };
const transaction: Schemas["Transaction"] = {
  reference: "TRX-000123",
  amount: "1250000",
  currency: "IDR",
  beneficiary_account: "1234567890",
  beneficiary_name: "PT ABC",
};

export async function generate(key: string): Promise<Schemas["Issued"]> {
  const { data, error } = await gateway.POST("/v1/otp/generate", {
    params: { header: { "Idempotency-Key": key } },
    body: { subscriber, purpose: "payment", transaction },
  });
  if (data) return data;
  throw new Error("reason" in error ? error.reason : error.title);
}

/** What the page says to the subscriber. */
export async function verify(key: string, issued: Schemas["Issued"], code: string): Promise<string> {
  const { data, error } = await gateway.POST("/v1/otp/verify", {
    params: { header: { "Idempotency-Key": key } },
    body: { subscriber, challenge_id: issued.challenge_id, code, purpose: "payment", transaction },
  });
  if (data) return `${data.verdict} at ${data.approved_at}`;
  switch (error.type) {
    case "https://otp-gateway.example/problems/not-approved":
      return error.verdict === "incorrect" ? `${error.attempts_left} attempts left` : error.verdict;
    case "https://otp-gateway.example/problems/outcome-unknown":
      return `again in ${error.retry_after_seconds} s, with the same key`;
    default:
      return error.title;
  }
}

export async function delivery(issued: Schemas["Issued"]): Promise<Schemas["Challenge"]["delivery"] | undefined> {
  const { data } = await gateway.GET("/v1/subscribers/{corporate_id}/{user_id}/challenges/{challenge_id}", {
    params: { path: { ...subscriber, challenge_id: issued.challenge_id } },
  });
  return data?.delivery;
}

// @ts-expect-error A payment comes with its transaction.
export const incomplete: Schemas["GenerateRequest"] = { subscriber, purpose: "payment" };
// @ts-expect-error A login comes without one.
export const excessive: Schemas["GenerateRequest"] = { subscriber, purpose: "login", transaction };
// @ts-expect-error An amount is a string, since a number loses digits.
export const rounded: Schemas["Transaction"] = { ...transaction, amount: 1250000 };
// @ts-expect-error There is no such currency.
export const strange: Schemas["Transaction"] = { ...transaction, currency: "XXX" };
// @ts-expect-error An approval is no problem.
export const confused: Schemas["NotApproved"]["verdict"] = "approved";
