import { afterEach, describe, expect, it } from "vitest";
import { columns } from "../../../src/cli/console.ts";
import { plainPaint, textTable } from "../../../src/report/text-table.ts";

describe("the width of what is printed", () => {
  const before = process.stdout.columns;
  afterEach(() => {
    process.stdout.columns = before;
  });
  const reason = "r".repeat(300);
  const line = () =>
    textTable([{ heading: "REASON", elastic: true }], [[reason]], {
      columns: columns(),
      paint: plainPaint,
    })[1];

  it("has no end in a pipe or a file, where a cut word is lost", () => {
    Object.defineProperty(process.stdout, "columns", {
      value: undefined,
      writable: true,
      configurable: true,
    });
    expect(line()).toBe(reason);
  });

  it("is that of the terminal where there is one", () => {
    process.stdout.columns = 80;
    expect(line()).toBe(`${"r".repeat(79)}…`);
  });
});
