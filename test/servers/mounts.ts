/** What a killed or finished program has left mounted. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** After it nothing is mounted below `folder`, also where something still holds a file open. */
export function unmountBelow(folder: string): void {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`))
    .sort()
    .reverse();
  for (const path of mounts) {
    try {
      execFileSync("umount", ["-l", path], { stdio: "ignore" });
    } catch {
      // It was gone already.
    }
  }
}
