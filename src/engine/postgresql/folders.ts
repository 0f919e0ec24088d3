/** Folders that belong to the user the server runs as. */
import { access, chmod, chown, constants, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { serverUser } from "./programs.ts";

/** User and group who own the server's data, where it runs on this machine. @throws tool-failed without such a user */
export async function serverOwner(
  context: EngineContext,
  dataDirectory: string | undefined,
): Promise<{ readonly uid: number; readonly gid: number }> {
  const found = dataDirectory === undefined ? undefined : await stat(dataDirectory).catch(() => undefined);
  return found ?? numbersOf(context, serverUser ?? "postgres");
}

async function numbersOf(
  context: EngineContext,
  user: string,
): Promise<{ readonly uid: number; readonly gid: number }> {
  const read = async (flag: string) =>
    Number((await context.exec.run({ argv: ["id", flag, user] }, { deadlineMs: 5000 })).stdout.trim());
  return { uid: await read("-u"), gid: await read("-g") };
}

/** A new folder only the server's user may read. Its parents must let that user pass. @throws usage */
export async function makeServerFolder(context: EngineContext, path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  if (serverUser === undefined) return;
  const { uid, gid } = await numbersOf(context, serverUser);
  await chown(path, uid, gid);
  const { exitStatus } = await context.exec.run(
    { argv: ["test", "-x", path], user: serverUser, cwd: "/" },
    { deadlineMs: 5000, accept: [0, 1] },
  );
  if (exitStatus === 0) return;
  throw new HoldfastError(
    "usage",
    `the user '${serverUser}', who runs PostgreSQL, cannot enter '${dirname(path)}'`,
    {
      hint: "choose a folder below one that everybody may enter, such as /srv or /var/tmp (--to, --state)",
    },
  );
}

/** Makes files that we wrote readable for the server. */
export async function giveToServer(context: EngineContext, ...paths: readonly string[]): Promise<void> {
  if (serverUser === undefined) return;
  const { uid, gid } = await numbersOf(context, serverUser);
  for (const path of paths) await chown(path, uid, gid);
}

export async function isThere(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
