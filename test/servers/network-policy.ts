/** What a NetworkPolicy lets through, by the words of the API; a network that enforces them has to agree. */
import { BlockList, isIP } from "node:net";
import type { KubeObject } from "../../src/platform/kubernetes/objects/shapes.ts";

export interface Destination {
  readonly ip: string;
  readonly port: number;
  readonly protocol?: "TCP" | "UDP";
  /** Of a pod; undefined for what is none. */
  readonly namespace?: string;
}

interface Peer {
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
  readonly namespaceSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
}

interface Spec {
  readonly podSelector: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly object[];
  readonly egress?: readonly {
    readonly to?: readonly Peer[];
    readonly ports?: readonly { readonly protocol: string; readonly port: number }[];
  }[];
}

const specOf = (policy: KubeObject): Spec => policy["spec"] as Spec;

/** An empty selector takes every pod of the namespace. */
export function selects(policy: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(specOf(policy).podSelector.matchLabels ?? {}).every(([k, v]) => labels[k] === v);
}

/** Whether anybody at all comes in. */
export function letsIn(policy: KubeObject): boolean {
  const { policyTypes, ingress = [] } = specOf(policy);
  return !policyTypes.includes("Ingress") || ingress.length > 0;
}

export function letsOut(policy: KubeObject, destination: Destination): boolean {
  const { policyTypes, egress = [] } = specOf(policy);
  if (!policyTypes.includes("Egress")) return true;
  const { port, protocol = "TCP" } = destination;
  return egress.some(
    ({ to, ports }) =>
      (to === undefined || to.some((peer) => isPeer(peer, destination))) &&
      (ports === undefined || ports.some((p) => p.port === port && p.protocol === protocol)),
  );
}

function isPeer({ ipBlock, namespaceSelector }: Peer, { ip, namespace }: Destination): boolean {
  if (namespaceSelector !== undefined)
    return (
      namespace !== undefined && namespaceSelector.matchLabels["kubernetes.io/metadata.name"] === namespace
    );
  return ipBlock !== undefined && isIn(ipBlock.cidr, ip) && !(ipBlock.except ?? []).some((e) => isIn(e, ip));
}

function isIn(cidr: string, ip: string): boolean {
  const [network = "", bits] = cidr.split("/");
  const family = isIP(network) === 6 ? "ipv6" : "ipv4";
  if ((isIP(ip) === 6) !== (family === "ipv6")) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(ip, family);
}
