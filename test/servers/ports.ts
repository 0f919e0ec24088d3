/** Ports for the servers of tests, which nobody takes between the choice and the use. */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const begin = 10_000;
/** From here on to 32767 a cluster has its node ports, which a firewall of its network lets everybody reach. */
const nodePortsBegin = 30_000;
const least = 2_000;
/** One process never gets the same port twice: the first server on it may not have begun to listen. */
const given = new Set<number>();

/**
 * Where the ports begin that the kernel gives to connections and to whoever asks for any port. What lies below is
 * safe from both: a port of the kernel's own that was free a moment ago may be the near end of a connection now.
 */
function kernelsFirst(): number {
  try {
    return Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch {
    return 32_768;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      // Of every address: some servers of tests listen where pods reach them.
      .listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}

/** So many different ports that nobody listens on, on any address of this machine. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const end = Math.min(kernelsFirst(), nodePortsBegin);
  const room = end - begin > least ? end - begin : nodePortsBegin - begin;
  const found: number[] = [];
  while (found.length < count) {
    const port = begin + Math.floor(Math.random() * room);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    found.push(port);
  }
  return found;
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
