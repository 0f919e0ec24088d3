/** Servers of tests listen on the loopback alone; pods come in through a gate on an address they reach. */
import { connect, createServer, type Server } from "node:net";
import { hostOfPods } from "./kubernetes.ts";

export interface Gates {
  /** Leads from an address of this machine to a port of its loopback. Returns the gate's own port. */
  open(port: number, at?: { readonly host: string; readonly port: number }): Promise<number>;
  close(): void;
}

export function openGates(): Gates {
  const servers: Server[] = [];
  return {
    open: async (port, at = { host: hostOfPods, port: 0 }) => {
      const server = createServer((socket) => {
        const inner = connect(port, "127.0.0.1");
        socket.on("error", () => inner.destroy());
        inner.on("error", () => socket.destroy());
        socket.pipe(inner).pipe(socket);
      });
      servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(at.port, at.host, resolve);
      });
      return (server.address() as { port: number }).port;
    },
    close: () => {
      for (const server of servers) server.close();
    },
  };
}
