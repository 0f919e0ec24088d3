/** Works that run at the same time: none is left running, and the first failure is the one that is told. */
import { describe, expect, it } from "vitest";
import { together } from "../../src/together.ts";

const untilAborted = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve("stopped"), { once: true }));

describe("together", () => {
  it("gives what each has given, in order", async () => {
    const { signal } = new AbortController();
    expect(await together(signal, [async () => 1, async () => "two"])).toEqual([1, "two"]);
  });

  it("stops the others when one fails, waits for them, and throws the first failure", async () => {
    const ended: string[] = [];
    const failing = together(new AbortController().signal, [
      async (signal) => {
        ended.push(await untilAborted(signal));
        throw new Error("because of the other");
      },
      async () => {
        throw new Error("the cause");
      },
    ]);
    await expect(failing).rejects.toThrow("the cause");
    expect(ended).toEqual(["stopped"]);
  });

  it("passes on an abort from outside", async () => {
    const outside = new AbortController();
    const both = together(outside.signal, [untilAborted, untilAborted]);
    outside.abort();
    expect(await both).toEqual(["stopped", "stopped"]);
  });
});
