import { expect, test } from "vitest";
import { errorCodes, exitStatuses, HoldfastError } from "../../src/errors.ts";

test("exit statuses are distinct and are those of the contract", () => {
  const statuses = Object.values(exitStatuses).map((s) => s.status);
  expect(statuses).toEqual([0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 130]);
});

test("every code has a hint, in lower case, without a final period", () => {
  for (const [code, facts] of Object.entries(errorCodes)) {
    expect(facts.hint, code).toMatch(/^[a-z].*[^.]$/);
  }
});

test("an error carries code, hint, cause and exit status", () => {
  const cause = new Error("boom");
  const error = new HoldfastError("store-full", "no space", { cause });
  expect(error.exitStatus).toBe(10);
  expect(error.transient).toBe(false);
  expect(error.hint).toBe(errorCodes["store-full"].hint);
  expect(error.cause).toBe(cause);
  expect(new HoldfastError("locked", "x", { hint: "h" }).hint).toBe("h");
});
