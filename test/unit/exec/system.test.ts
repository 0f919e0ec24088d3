/** Programs are judged by how they end, and the bytes between them never come through this process. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { Command } from "../../../src/catalogue/artifact.ts";
import { openExec } from "../../../src/exec/system.ts";
import { rememberSecret } from "../../../src/secret.ts";

const exec = openExec();
const folder = mkdtempSync(join(tmpdir(), "holdfast-exec-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sh = (script: string, extra: Partial<Command> = {}): Command => ({
  argv: ["sh", "-c", script],
  ...extra,
});
const alive = (pid: number) => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

describe("run", () => {
  it("gives output, status and input", async () => {
    const result = await exec.run(sh("cat; echo warn >&2; exit 3"), { input: "hello", accept: [3] });
    expect(result).toEqual({ exitStatus: 3, stdout: "hello", stderr: "warn\n" });
  });

  it("names status, signal and last words", async () => {
    await expect(exec.run(sh("echo broken >&2; exit 7"))).rejects.toMatchObject({
      code: "tool-failed",
      message: "'sh' ended with status 7: broken",
    });
    await expect(exec.run(sh("kill -9 $$"))).rejects.toThrow("SIGKILL");
  });

  it("names the package of a missing program", async () => {
    await expect(exec.run({ argv: ["/nowhere/zstd"] })).rejects.toMatchObject({
      code: "tool-missing",
      hint: "install it: apt-get install zstd",
    });
  });

  it("passes on a short list of variables only", async () => {
    process.env["HOLDFAST_TEST_LEAK"] = "x";
    const { stdout } = await exec.run({ argv: ["env"], env: { PGPASSWORD: "given" } });
    delete process.env["HOLDFAST_TEST_LEAK"];
    expect(stdout).toContain("PGPASSWORD=given");
    expect(stdout).toContain("TZ=UTC");
    expect(stdout).not.toContain("HOLDFAST_TEST_LEAK");
  });

  it("takes remembered secrets out of what a program says", async () => {
    rememberSecret("hunter2-secret");
    const { stderr } = await exec.run(sh("echo password hunter2-secret >&2"));
    expect(stderr).toBe("password [redacted]\n");
  });

  it("ends grandchildren at the deadline and at an abort", async () => {
    const [late, stopped] = [join(folder, "late"), join(folder, "stopped")];
    const script = (pidFile: string) => sh(`sleep 60 & echo $! > ${pidFile}; wait`);
    await expect(exec.run(script(late), { deadlineMs: 2000 })).rejects.toThrow("after 2000 ms");
    expect(alive(Number(readFileSync(late, "utf8")))).toBe(false);
    const controller = new AbortController();
    const running = expect(exec.run(script(stopped), { signal: controller.signal })).rejects.toMatchObject({
      code: "interrupted",
    });
    while (!existsSync(stopped) || readFileSync(stopped, "utf8") === "") await sleep(10);
    controller.abort();
    await running;
    expect(alive(Number(readFileSync(stopped, "utf8")))).toBe(false);
  });

  it("refuses more than 16 MiB of output", async () => {
    await expect(exec.run({ argv: ["head", "-c", "20000000", "/dev/zero"] })).rejects.toThrow("more than");
  });
});

describe("pipe", () => {
  const kindOfInput = sh("if [ -p /dev/stdin ]; then echo pipe; else echo socket; fi; cat");

  it("joins programs by pipes of the kernel, and leaves none of them in the file system", async () => {
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    try {
      const pipe = exec.pipe([sh("echo through"), kindOfInput, sh("cat")]);
      expect(await text(pipe.output!)).toBe("pipe\nthrough\n");
      await pipe.done;
      expect(readdirSync(folder).filter((name) => name.startsWith("holdfast-pipe"))).toEqual([]);
      // Where no FIFO can be made, a socket does it.
      process.env["TMPDIR"] = join(folder, "nowhere");
      const other = exec.pipe([sh("echo through"), kindOfInput]);
      expect(await text(other.output!)).toBe("socket\nthrough\n");
      await other.done;
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  });

  it("carries bytes past this process", async () => {
    const read = () => Number(/rchar: (\d+)/.exec(readFileSync("/proc/thread-self/io", "utf8"))![1]);
    const before = read();
    const pipe = exec.pipe([{ argv: ["head", "-c", "300000000", "/dev/zero"] }, { argv: ["wc", "-c"] }]);
    expect((await text(pipe.output!)).trim()).toBe("300000000");
    await pipe.done;
    expect(read() - before).toBeLessThan(5_000_000);
  });

  it.each([
    ["producer", [sh("echo x; exit 4"), sh("cat")]],
    ["producer under a quiet consumer", [sh("exit 4"), sh("cat"), sh("cat")]],
    ["middle", [sh("echo x"), sh("cat; exit 4"), sh("cat")]],
    ["consumer, while the producer would go on for ever", [sh("yes"), sh("exit 4")]],
    ["last", [sh("echo x"), sh("cat"), sh("cat; exit 4")]],
  ] as [string, [Command, ...Command[]]][])("fails with the status of the %s", async (_place, commands) => {
    const pipe = exec.pipe(commands);
    pipe.output!.resume();
    await expect(pipe.done).rejects.toThrow("status 4");
  });

  it("fails when a producer dies by a signal under a happy consumer", async () => {
    const pipe = exec.pipe([sh("echo x; kill -9 $$"), sh("cat")]);
    pipe.output!.resume();
    await expect(pipe.done).rejects.toThrow("SIGKILL");
  });

  it("says of a program that is not there that it is, also to one who pours a long input into it", async () => {
    const slow = async function* () {
      for (let i = 0; i < 200; i += 1) {
        await sleep(5);
        yield Buffer.alloc(100_000);
      }
    };
    for (const chunks of [slow(), Array.from({ length: 100 }, () => Buffer.alloc(100_000))]) {
      const input = Readable.from(chunks, { objectMode: false });
      const pipe = exec.pipe([{ argv: ["no-such-program"] }], { input });
      await expect(pipe.done).rejects.toMatchObject({ code: "tool-missing" });
    }
  });

  it("tells a missing program in any place", async () => {
    for (const commands of [
      [{ argv: ["/nowhere/a"] }, sh("cat")],
      [sh("echo x"), { argv: ["/nowhere/a"] }],
    ] as [Command, ...Command[]][]) {
      const pipe = exec.pipe(commands);
      pipe.output?.resume();
      await expect(pipe.done).rejects.toMatchObject({ code: "tool-missing" });
    }
  });

  it("feeds a stream, and fails with the stream's own error", async () => {
    const good = exec.pipe([sh("tr a b"), sh("cat")], { input: Readable.from([Buffer.from("aaa")]) });
    expect(await text(good.output!)).toBe("bbb");
    await good.done;
    const failing = Readable.from(
      (async function* () {
        yield Buffer.from("a");
        throw new Error("damaged on the way");
      })(),
    );
    const bad = exec.pipe([sh("cat")], { input: failing });
    bad.output!.resume();
    await expect(bad.done).rejects.toThrow("damaged on the way");
  });

  it("stops all programs", async () => {
    const pipe = exec.pipe([sh("sleep 60 | cat"), sh("cat")]);
    pipe.output!.resume();
    const startedAtMs = Date.now();
    await sleep(100);
    await pipe.stop();
    expect(Date.now() - startedAtMs).toBeLessThan(4000);
    await expect(pipe.done).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("resident", () => {
  it("gives lines and how it ended", async () => {
    const lines: string[] = [];
    const resident = exec.resident(sh("echo one; echo two >&2; exit 5"), (line) => lines.push(line));
    expect(await resident.ended).toMatchObject({ exitStatus: 5, stderr: "two\n" });
    expect(lines.sort()).toEqual(["one", "two"]);
  });

  it("stops with its children", async () => {
    const lines: string[] = [];
    const resident = exec.resident(sh("sleep 60 & echo $!; wait"), (line) => lines.push(line));
    while (lines.length === 0) await sleep(10);
    await resident.stop();
    expect((await resident.ended).signal).toBe("SIGTERM");
    expect(alive(Number(lines[0]))).toBe(false);
  });
});

it("finds programs in PATH and in places named", async () => {
  expect(await exec.find("sh")).toMatch(/\/sh$/);
  expect(await exec.find("no-such-program")).toBeUndefined();
  expect(await exec.find("ls", ["/bin"])).toBeDefined();
});
