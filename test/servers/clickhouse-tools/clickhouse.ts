/**
 * `clickhouse server --config-file=FILE` for tests: ClickHouse's own engine (chdb, in this process) behind the HTTP
 * interface. The statements, BACKUP and RESTORE among them, are the engine's; the listener and the login are ours.
 * First argument: the folder chdb is installed in.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

interface Session {
  query(statement: string, format?: string): unknown;
  close?(): void;
}

const [home = "", verb, option = ""] = process.argv.slice(2);
if (verb !== "server" || !option.startsWith("--config-file=")) {
  console.error(`'${verb} ${option}' is not what this stand-in does`);
  process.exit(36);
}
const settingsFile = option.slice("--config-file=".length);
const settings = readFileSync(settingsFile, "utf8");
const field = (text: string, name: string): string =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? "";
const users = readFileSync(/<users_xml><path>([^<]*)</.exec(settings)?.[1] ?? "", "utf8");
const user = /<users><(\w+)>/.exec(users)?.[1] ?? "default";
const passwordHash = field(users, "password_sha256_hex");

const { Session: Engine } = createRequire(join(home, "package.json"))("chdb") as {
  Session: new (path: string, options: { connectionArgs: readonly string[] }) => Session;
};
mkdirSync(field(settings, "path"), { recursive: true });
// Its users and its log are ours: the library knows one user, and prints what a server would keep in a file.
const engineFile = `${settingsFile}.engine`;
writeFileSync(
  engineFile,
  `<clickhouse><backups><allowed_path>${field(settings, "allowed_path")}</allowed_path></backups></clickhouse>\n`,
);
const session = new Engine(field(settings, "path"), { connectionArgs: [`--config-file=${engineFile}`] });

function isLoggedIn(request: IncomingMessage): boolean {
  const { authorization = "" } = request.headers;
  const basic = /^Basic (.+)$/.exec(authorization)?.[1];
  const [name = "", ...rest] =
    basic === undefined ? [] : Buffer.from(basic, "base64").toString("utf8").split(":");
  const given = {
    user: String(request.headers["x-clickhouse-user"] ?? name),
    password: String(request.headers["x-clickhouse-key"] ?? rest.join(":")),
  };
  return given.user === user && createHash("sha256").update(given.password).digest("hex") === passwordHash;
}

function answer(statement: string, database: string): { readonly status: number; readonly text: string } {
  try {
    session.query(`USE \`${database}\``);
    const result = session.query(statement, "TabSeparated");
    return { status: 200, text: typeof result === "string" ? result : String(result ?? "") };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { status: 500, text: words };
  }
}

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const url = new URL(request.url ?? "/", "http://server");
    const send = (status: number, text: string): void => {
      const code = /Code: (\d+)/.exec(text)?.[1];
      response.writeHead(status, {
        "Content-Type": "text/plain; charset=UTF-8",
        ...(status !== 200 && code !== undefined ? { "X-ClickHouse-Exception-Code": code } : {}),
      });
      response.end(text);
    };
    if (url.pathname === "/ping") return send(200, "Ok.\n");
    if (!isLoggedIn(request))
      return send(
        403,
        "Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)",
      );
    const { status, text } = answer(
      `${url.searchParams.get("query") ?? ""}${Buffer.concat(parts).toString("utf8")}`,
      url.searchParams.get("database") ?? "default",
    );
    send(status, text);
  });
});
server.listen(Number(field(settings, "http_port")), field(settings, "listen_host"));
process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  session.close?.();
  process.exit(0);
});
