/** Cron lines that carry their zone in front, as Velero and older clusters write them: `CRON_TZ=Europe/Berlin 0 3 * * *`. */
import { parseCron } from "./cron-parse.ts";
import { isTimeZone } from "./zone.ts";

export interface ZonedCron {
  readonly cron: string;
  readonly timeZone: string;
}

const usualZone = "Etc/UTC";

/** Undefined for a line that is none here, `@every 6h` and fields of seconds among them. A line without a zone is UTC. */
export function parseZonedCron(text: string): ZonedCron | undefined {
  const [, zone = usualZone, line = ""] = /^\s*(?:(?:CRON_)?TZ=(\S+)\s+)?(\S.*?)\s*$/.exec(text) ?? [];
  const cron = line.replaceAll("?", "*").replaceAll(/\s+/g, " ");
  if (!isTimeZone(zone) || "error" in parseCron(cron)) return undefined;
  return { cron, timeZone: zone };
}

/** The line as Velero reads it. */
export function formatZonedCron({ cron, timeZone }: ZonedCron): string {
  return timeZone === usualZone ? cron : `CRON_TZ=${timeZone} ${cron}`;
}
