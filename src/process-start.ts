/** Tells a living process from another that has its number now. @see proc(5), `/proc/pid/stat` */
import { readFile } from "node:fs/promises";

/** What tells a process from a later one with the same number. Undefined when it is gone. */
export async function processStart(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The name in brackets may hold blanks; what counts comes after it. A zombie has ended.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}
