/** A git server for pods: git's own, over the repositories of one folder, for reading alone. */
import { execFileSync, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { killed, until } from "./waiting.ts";

export interface GitDaemon {
  /** Of a repository of the folder. */
  url(name: string): string;
  stop(): Promise<void>;
}

export async function startGitDaemon(folder: string, host: string): Promise<GitDaemon> {
  const port = await freePort();
  const programs = execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim();
  const child = spawn(
    join(programs, "git-daemon"),
    ["--export-all", "--reuseaddr", `--base-path=${folder}`, `--listen=${host}`, `--port=${port}`],
    { stdio: "ignore" },
  );
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, host, () => resolve(true));
        socket.on("connect", () => socket.destroy()).on("error", () => resolve(false));
      }),
  );
  return {
    url: (name) => `git://${host}:${port}/${name}`,
    stop: async () => {
      process.removeListener("exit", last);
      await killed(child);
    },
  };
}
