import { describe, expect, it } from "vitest";
import { formatZonedCron, parseZonedCron } from "../../../src/time/zoned-cron.ts";

describe("cron lines with a zone in front", () => {
  it.each([
    ["0 3 * * *", "0 3 * * *", "Etc/UTC"],
    ["CRON_TZ=Europe/Berlin 30  2 * * 1-5", "30 2 * * 1-5", "Europe/Berlin"],
    [" TZ=Asia/Tokyo 0 3 * * * ", "0 3 * * *", "Asia/Tokyo"],
    ["@daily", "@daily", "Etc/UTC"],
    ["0 4 ? * 0", "0 4 * * 0", "Etc/UTC"],
  ])("reads %j", (text, cron, timeZone) => {
    expect(parseZonedCron(text)).toEqual({ cron, timeZone });
    // Written and read again it is the same.
    expect(parseZonedCron(formatZonedCron({ cron, timeZone }))).toEqual({ cron, timeZone });
  });

  it.each([
    "",
    "@every 6h",
    "* * * * * *",
    "CRON_TZ=Mars/Olympus 0 3 * * *",
    "CRON_TZ=Europe/Berlin",
    "0 25 * * *",
  ])("refuses %j", (text) => expect(parseZonedCron(text)).toBeUndefined());
});
