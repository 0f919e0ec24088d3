/** Ports for servers of our own, which nobody listens on now. */
import { createServer } from "node:net";

/** So many different ports of the loopback address. Somebody else may take one before it is used. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const listening = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of listening) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }
  for (const server of listening) await new Promise((resolve) => server.close(resolve));
  return ports;
}
