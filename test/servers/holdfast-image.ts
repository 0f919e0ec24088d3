/** The image that pods of tests run: Holdfast with the vendors' programs. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openImageStorage, whyNoImage } from "./container-image.ts";
import { writeTools } from "./ferretdb.ts";
import { addFile, addNode, addPrograms, nodePath, packImage } from "./image.ts";

const root = join(import.meta.dirname, "../..");
const home = "/opt/holdfast";

export interface ImagePrograms {
  /** Folder of PostgreSQL's programs. */
  readonly postgresql: string;
  readonly bao?: string;
  readonly mc?: string;
  readonly ferretdb?: string;
}

const postgresqlPrograms = [
  "pg_basebackup",
  "pg_receivewal",
  "pg_verifybackup",
  "pg_controldata",
  "pg_ctl",
  "pg_waldump",
  "postgres",
];
const otherPrograms = [
  ...["/bin/sh", "/bin/bash", "/bin/gzip", "/bin/tar", "/bin/cat", "/bin/cp", "/bin/ln", "/bin/df"],
  ...["git", "zstd", "igzip", "du", "test", "id", "head", "setpriv", "openssl"].map((n) => `/usr/bin/${n}`),
  ...["redis-cli", "redis-server", "redis-check-rdb", "redis-check-aof"].map((n) => `/usr/bin/${n}`),
];

/**
 * Packed of this machine's files, which takes seconds and asks no mirror. With HOLDFAST_BUILT_IMAGE=1 the image of
 * `deploy/Containerfile` with the other programs on top, as docs/kubernetes.md tells. Returns its archive, beside
 * `place`, which is gone afterwards. @throws Error where the image is wanted and cannot be built
 */
export async function makeHoldfastImage(
  place: string,
  name: string,
  programs: ImagePrograms,
): Promise<string> {
  const tar = join(dirname(place), "holdfast.tar");
  if (process.env["HOLDFAST_BUILT_IMAGE"] === "1") {
    const why = whyNoImage();
    if (why !== undefined) throw new Error(`no image can be built here: ${why}`);
    await buildOnTop(place, name, programs, tar);
  } else packByHand(place, name, programs, tar);
  rmSync(place, { recursive: true });
  return tar;
}

async function buildOnTop(place: string, name: string, programs: ImagePrograms, tar: string): Promise<void> {
  const below = "localhost/holdfast:below";
  const storage = await openImageStorage();
  try {
    await storage.build(below, root, "deploy/Containerfile");
    const files = join(place, "files");
    mkdirSync(files, { recursive: true });
    addOthers(files, programs);
    writeFileSync(join(place, "Containerfile"), `FROM ${below}\nCOPY files /\n`);
    await storage.build(name, place, "Containerfile");
    await storage.save(name, tar);
  } finally {
    storage.remove();
  }
}

function packByHand(place: string, name: string, programs: ImagePrograms, tar: string): void {
  mkdirSync(join(place, "etc"), { recursive: true });
  mkdirSync(join(place, "tmp"));
  writeFileSync(join(place, "etc/passwd"), "root:x:0:0::/:/bin/sh\nholdfast:x:10001:10001::/tmp:/bin/sh\n");
  addNode(place);
  addPrograms(place, [...postgresqlPrograms.map((p) => join(programs.postgresql, p)), ...otherPrograms]);
  const kubectl = findOnPath("kubectl");
  if (kubectl !== undefined) addFile(place, kubectl, "/usr/local/bin/kubectl");
  addOthers(place, programs);
  addFile(place, "/usr/share/postgresql/15", "/usr/share/postgresql/15");
  addFile(place, "/usr/lib/postgresql/15/lib", "/usr/lib/postgresql/15/lib");
  addFile(place, "/usr/share/zoneinfo", "/usr/share/zoneinfo");
  for (const { from, to } of copiedIntoImage()) addFile(place, join(root, from), join(home, to));
  for (const path of runtimePackages()) addFile(place, path, join(home, path.slice(root.length)));
  packImage(place, tar, name, [nodePath, `${home}/src/cli/holdfast.mjs`]);
}

/** What the image of `deploy/Containerfile` has not. */
function addOthers(place: string, programs: ImagePrograms): void {
  for (const name of ["bao", "mc", "ferretdb"] as const) {
    const path = programs[name];
    if (path !== undefined) addFile(place, path, `/usr/local/bin/${name}`);
  }
  if (programs.ferretdb !== undefined) addMongoTools(place);
}

/** What the Containerfile copies from this repository, to where below the image's folder. */
export function copiedIntoImage(): readonly { readonly from: string; readonly to: string }[] {
  const text = readFileSync(join(root, "deploy/Containerfile"), "utf8");
  return [...text.matchAll(/^COPY (.+) (\S+)$/gm)].flatMap(([, sources = "", target = ""]) =>
    sources.split(" ").map((from) => ({
      from,
      to: target === from ? from : join(target, basename(from)),
    })),
  );
}

function addMongoTools(place: string): void {
  const tools = "test/servers/mongo-tools";
  addFile(place, join(root, tools), join(home, tools));
  writeTools(join(place, "usr/local/bin"), "/usr/local/bin/ferretdb", {
    node: nodePath,
    tools: join(home, tools),
  });
}

/** Folders of the packages the program runs with; those inside others come along. */
function runtimePackages(): readonly string[] {
  const listed = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((p) => p.includes("/node_modules/") && !/node-linux-|\/node_modules\/node$/.test(p))
    .filter((p) => !p.slice(root.length + "/node_modules/".length).includes("/node_modules/"));
}

function findOnPath(program: string): string | undefined {
  try {
    return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}
