/** A container image as a docker archive, made of files of this machine and without a registry. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Packs the folder `root` as the one layer of an image. Returns `tar`. */
export function packImage(root: string, tar: string, name: string, command: readonly string[]): string {
  const folder = mkdtempSync(`${tar}.`);
  execFileSync("tar", ["--owner=0", "--group=0", "-C", root, "-cf", join(folder, "layer.tar"), "."]);
  const digest = execFileSync("sha256sum", [join(folder, "layer.tar")], { encoding: "utf8" }).split(" ")[0];
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Entrypoint: command, WorkingDir: "/", Env: ["PATH=/usr/local/bin:/usr/bin:/bin"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  });
  const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
  writeFileSync(join(folder, configName), config);
  writeFileSync(
    join(folder, "manifest.json"),
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  execFileSync("tar", ["-C", folder, "-cf", tar, "layer.tar", configName, "manifest.json"]);
  rmSync(folder, { recursive: true, force: true });
  return tar;
}

/** Copies programs with the libraries they are linked to into `root`, at the same paths. */
export function addPrograms(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    addFile(root, path, path);
    addLibraries(root, path);
  }
}

/** Where {@link addNode} puts Node: a checkout may lie below a folder that pods mount something else over. */
export const nodePath = "/usr/local/bin/node";

/** Copies the Node that runs the tests, with its libraries, to {@link nodePath}. */
export function addNode(root: string): void {
  addFile(root, process.execPath, nodePath);
  addLibraries(root, process.execPath);
}

function addLibraries(root: string, path: string): void {
  let libraries = "";
  try {
    libraries = execFileSync("ldd", [path], { encoding: "utf8", stdio: "pipe" });
  } catch {
    return; // static, or a script
  }
  for (const found of libraries.matchAll(/(?:=> )?(\/\S+) \(0x/g))
    addFile(root, found[1] ?? "", found[1] ?? "");
}

export function addFile(root: string, from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`'${from}' is not there`);
  const target = join(root, to);
  mkdirSync(dirname(target), { recursive: true });
  // A library that several programs share is there already.
  if (!existsSync(target)) execFileSync("cp", ["-rL", from, target]);
}
