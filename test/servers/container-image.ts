/**
 * Images built by buildah as a person builds them, and containers of them by podman, without a container registry: the
 * base of `deploy/Containerfile` is stood in for by Debian 12 with this project's Node. After `remove` no storage, mount
 * or cgroup of them is left.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { unmountBelow } from "./mounts.ts";

const root = join(import.meta.dirname, "../..");
/** The one that `deploy/Containerfile` begins from. */
const baseName = "docker.io/library/node:24-bookworm-slim";
const programs = ["buildah", "podman", "runc", "unshare"] as const;

/** Why no image can be built here, or undefined. */
export function whyNoImage(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  const places = (process.env["PATH"] ?? "").split(":").concat("/usr/sbin");
  const missing = programs.find((name) => !places.some((place) => existsSync(join(place, name))));
  if (missing !== undefined) return `${missing} is not installed`;
  if (ask("unshare", ["--mount", "true"]) === undefined) return "it needs the right to mount";
  const base = baseFolder();
  if (base === undefined) return "there is no base image";
  return isReachable(base) ? undefined : "Debian's mirror or npm's registry does not answer";
}

/** By the fetchers of apt and npm themselves, so that their proxies count. */
function isReachable(base: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mirror-"));
  try {
    const list = `${readFileSync(join(base, "mirror"), "utf8").trim()}/dists/bookworm/InRelease`;
    const fetched = ask("/usr/lib/apt/apt-helper", ["download-file", list, join(folder, "list")]);
    return fetched !== undefined && ask("npm", ["view", "npm", "name", "--fetch-retries=0"]) !== undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Debian and npm; made when they are not there yet. */
function baseFolder(): string | undefined {
  return ask("sh", [join(root, ".ci/container-base.sh")])?.trim();
}

function ask(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningContainer {
  readonly ended: Promise<Ran>;
  /** Asks it to end and waits for that. */
  stop(): Promise<Ran>;
}

export interface RunOptions {
  /** `uid:gid`; the image's own unless told. */
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Folders of this machine, seen under the same path. */
  readonly folders?: readonly string[];
  readonly workingDirectory?: string;
  /** In place of the image's own. */
  readonly entrypoint?: string;
  /** Otherwise nothing at all can be written. */
  readonly writableTmp?: boolean;
}

export interface ImageStorage {
  /** Builds the context's `containerfile` with nothing of it changed. @throws with the build's last lines */
  build(name: string, context: string, containerfile: string): Promise<void>;
  /** Folder with the image's files, to look at. */
  open(name: string): Promise<string>;
  /** Of all layers, unpacked. */
  sizeBytes(name: string): Promise<number>;
  /**
   * A container with a read-only root, no capability, no new privilege and the usual seccomp filter, as the pods'
   * restricted profile asks for, on the network of this machine.
   */
  start(name: string, args: readonly string[], options?: RunOptions): RunningContainer;
  /** Resolves at its end, whatever its status is. */
  run(name: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Writes the image as an archive that a container runtime imports. */
  save(name: string, tar: string): Promise<void>;
  remove(): void;
}

/** Of a run; a receiver's too. */
const runLimitSeconds = 180;

/** With the base image in it. */
export async function openImageStorage(): Promise<ImageStorage> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-images-"));
  const storage = ["--root", join(folder, "root"), "--runroot", join(folder, "run")];
  const podmanArgs = [
    ...[...storage, "--tmpdir", join(folder, "podman")],
    ...["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"],
  ];
  // Both write to places of the machine too; what was not there before goes with the storage.
  const traces = ["/var/lib/containers", "/dev/shm/libpod_lock"].filter((path) => !existsSync(path));
  const buildah = async (...args: string[]): Promise<string> => {
    const done = await start("buildah", [...storage, ...args], { TMPDIR: folder }).ended;
    if (done.status !== 0)
      throw new Error(`buildah ${args[0]}: ${`${done.stdout}\n${done.stderr}`.slice(-3000)}`);
    return done.stdout.trim();
  };
  const remove = (): void => {
    process.removeListener("exit", remove);
    ask("podman", [...podmanArgs, "rm", "--all", "--force", "--time", "0"]);
    unmountBelow(folder);
    for (const path of [folder, ...traces]) rmSync(path, { recursive: true, force: true });
    removeCgroups();
  };
  process.once("exit", remove);
  const image: ImageStorage = {
    build: async (name, context, containerfile) => {
      await buildah(
        ...["build", "--isolation", "chroot", "--pull-never", ...registryMounts(folder)],
        ...["-t", name, "-f", join(context, containerfile), context],
      );
    },
    open: async (name) => buildah("mount", await buildah("from", "--pull-never", name)),
    sizeBytes: async (name) => {
      const { stdout } = await start("podman", [...podmanArgs, "image", "inspect", name]).ended;
      return Number(JSON.parse(stdout)[0].Size);
    },
    start: (name, args, options = {}) =>
      start("podman", [...podmanArgs, "run", ...runArgs(options), name, ...args]),
    run: (name, args, options) => image.start(name, args, options).ended,
    save: async (name, tar) => {
      await buildah("push", "--quiet", name, `docker-archive:${tar}:${name}`);
    },
    remove,
  };
  try {
    await makeBase(buildah);
  } catch (error) {
    remove();
    throw error;
  }
  return image;
}

/** As far as it matters here what the official image is: the same Debian, a Node 24 and an npm 11. */
async function makeBase(buildah: (...args: string[]) => Promise<string>): Promise<void> {
  const folder = baseFolder();
  if (folder === undefined) throw new Error("there is no base image");
  const container = await buildah("from", "scratch");
  await buildah("add", "--quiet", container, join(folder, "debian.tar"), "/");
  await buildah("add", "--quiet", container, process.execPath, "/usr/local/bin/node");
  await buildah("add", "--quiet", container, join(folder, "npm"), "/usr/local/lib/node_modules/npm");
  const link = ["ln", "-s", "../lib/node_modules/npm/bin/npm-cli.js", "/usr/local/bin/npm"];
  await buildah("run", "--isolation", "chroot", container, "--", ...link);
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  await buildah("config", "--env", path, container);
  await buildah("commit", "--quiet", "--rm", container, baseName);
}

/** Where npm's registry is and whom it is trusted by, as this machine has it; Debian's mirror stands in the base. */
function registryMounts(folder: string): readonly string[] {
  const lines = [`registry=${ask("npm", ["config", "get", "registry"])?.trim()}`];
  const mounts: string[] = [];
  const authorities = process.env["NODE_EXTRA_CA_CERTS"];
  if (authorities !== undefined && existsSync(authorities)) {
    lines.push("cafile=/run/npm-authorities.pem");
    mounts.push("--volume", `${authorities}:/run/npm-authorities.pem:ro`);
  }
  writeFileSync(join(folder, "npmrc"), `${lines.join("\n")}\n`);
  return [...mounts, "--volume", `${join(folder, "npmrc")}:/usr/local/etc/npmrc:ro`];
}

function runArgs(options: RunOptions): readonly string[] {
  const { user, env = {}, folders = [], workingDirectory, entrypoint, writableTmp = true } = options;
  return [
    ...[
      "--rm",
      "--timeout",
      String(runLimitSeconds),
      "--network",
      "host",
      "--read-only",
      `--read-only-tmpfs=${writableTmp}`,
    ],
    ...["--cap-drop", "all", "--security-opt", "no-new-privileges"],
    // Podman would write a missing user into /etc/passwd; a cluster does not.
    "--passwd=false",
    // Its usual limits are above what a machine may allow.
    ...["--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4096:4096"],
    ...(user === undefined ? [] : ["--user", user]),
    ...Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...folders.flatMap((path) => ["--volume", `${path}:${path}`]),
    ...(workingDirectory === undefined ? [] : ["--workdir", workingDirectory]),
    ...(entrypoint === undefined ? [] : ["--entrypoint", entrypoint]),
  ];
}

function start(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningContainer {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const texts = Promise.all([text(child.stdout), text(child.stderr)]);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      texts.then(([stdout, stderr]) => resolve({ status: status ?? -1, stdout, stderr }), reject);
    });
  });
  return {
    ended,
    stop: () => {
      // Podman hands it on.
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** Podman leaves its folders among the cgroups; those in use cannot be removed and stay. */
function removeCgroups(): void {
  const top = "/sys/fs/cgroup";
  if (!existsSync(top)) return;
  for (const controller of ["", ...readdirSync(top)])
    for (const name of ["libpod_parent/conmon", "libpod_parent"]) {
      try {
        rmdirSync(join(top, controller, name));
      } catch {
        // Of another podman, or not there.
      }
    }
}
