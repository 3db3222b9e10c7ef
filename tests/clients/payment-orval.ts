// The payment of payment.ts with the client that orval made: calls are functions, replies are told apart by their status.
import { cancel, generate, getChallenge, verify } from "gateway";
import type { ChallengeDelivery, GenerateRequest, Issued, NotApprovedVerdict, Transaction } from "gateway";

const authorized = { headers: { Authorization: "Bearer otpgw_example" } };
const subscriber = { corporate_id: "NUSA01", user_id: "budi.santoso" };
const transaction: Transaction = {
  reference: "TRX-000123",
  amount: "1250000",
  currency: "IDR",
  beneficiary_account: "1234567890",
  beneficiary_name: "PT ABC",
};

export async function issue(key: string): Promise<Issued> {
  const headers = { "Idempotency-Key": key };
  const reply = await generate({ subscriber, purpose: "payment", transaction }, headers, authorized);
  if (reply.status === 201) return reply.data;
  throw new Error("reason" in reply.data ? reply.data.reason : reply.data.title);
}

/** What the page says to the subscriber. */
export async function confirm(key: string, { challenge_id }: Issued, code: string): Promise<string> {
  const body = { subscriber, challenge_id, code, purpose: "payment", transaction } as const;
  const { status, data } = await verify(body, { "Idempotency-Key": key }, authorized);
  if (status === 200) return `${data.verdict} at ${data.approved_at}`;
  switch (data.type) {
    case "https://otp-gateway.example/problems/not-approved":
      return data.verdict === "incorrect" ? `${data.attempts_left} attempts left` : data.verdict;
    case "https://otp-gateway.example/problems/outcome-unknown":
      return `again in ${data.retry_after_seconds} s, with the same key`;
    default:
      return data.title;
  }
}

export async function delivery({ challenge_id }: Issued): Promise<ChallengeDelivery | undefined> {
  const { corporate_id, user_id } = subscriber;
  const reply = await getChallenge(corporate_id, user_id, challenge_id, {}, authorized);
  return reply.status === 200 ? reply.data.delivery : undefined;
}

export async function giveUp({ challenge_id }: Issued): Promise<boolean> {
  const reply = await cancel({ subscriber, challenge_id, purpose: "payment", transaction }, {}, authorized);
  return reply.status === 200;
}

// @ts-expect-error A payment comes with its transaction.
export const incomplete: GenerateRequest = { subscriber, purpose: "payment" };
// @ts-expect-error A login comes without one.
export const excessive: GenerateRequest = { subscriber, purpose: "login", transaction };
// @ts-expect-error An amount is a string, since a number loses digits.
export const rounded: Transaction = { ...transaction, amount: 1250000 };
// @ts-expect-error There is no such currency.
export const strange: Transaction = { ...transaction, currency: "XXX" };
// @ts-expect-error An approval is no problem.
export const confused: NotApprovedVerdict = "approved";
