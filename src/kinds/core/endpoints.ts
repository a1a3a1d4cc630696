import type { EndpointAddress, Endpoints, EndpointSubset } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Label, isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, NONE } from "../printing.ts";
import { type Errors, follows, isMissing, requiredEnum } from "../validation.ts";
import { INVALID_IP, parseIp } from "../ip.ts";
import { portNumber, PROTOCOLS } from "./container-rules.ts";

export const EndpointsKind = defineKind<Endpoints>({
  group: "",
  version: "v1",
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Endpoints",
  storagePrefix: "/registry/services/endpoints",
  deprecated: { since: "1.33", use: "discovery.k8s.io/v1 EndpointSlice" },
  columns: [nameColumn, column("Endpoints", "Addresses and ports that serve.", endpointsText), ageColumn],
  strategy: {
    createOnUpdate: true,
    default: (endpoints) => ({
      ...endpoints,
      ...(endpoints.subsets === undefined
        ? {}
        : {
            subsets: endpoints.subsets.map((subset) => ({
              ...subset,
              ...(subset.ports === undefined ? {} : { ports: subset.ports.map((port) => ({ ...port, protocol: port.protocol || "TCP" })) }),
            })),
          }),
    }),
    validate: ({ subsets = [] }) => subsets.flatMap((subset, i) => validateSubset(subset, `subsets[${i}]`)),
  },
});

function endpointsText({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return NONE;
  return firstThree(
    subsets.flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => hostPort(ip, port))),
    ),
  );
}

function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function validateSubset({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset, path: string): Errors {
  const errors: FieldError[] = [];
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.push(requiredField(path, "must specify `addresses` or `notReadyAddresses`"));
  }
  for (const [i, address] of addresses.entries()) errors.push(...validateAddress(address, `${path}.addresses[${i}]`));
  for (const [i, address] of notReadyAddresses.entries()) errors.push(...validateAddress(address, `${path}.notReadyAddresses[${i}]`));
  for (const [i, port] of ports.entries()) {
    const at = `${path}.ports[${i}]`;
    if (isMissing(port.name)) {
      if (ports.length > 1) errors.push(requiredField(`${at}.name`));
    } else errors.push(...follows(isDns1123Label, port.name, `${at}.name`));
    errors.push(...portNumber(port.port, `${at}.port`), ...requiredEnum(port.protocol, PROTOCOLS, `${at}.protocol`));
    if (port.appProtocol !== undefined) errors.push(...follows(isLabelKey, port.appProtocol, `${at}.appProtocol`));
  }
  return errors;
}

function validateAddress({ ip, hostname }: EndpointAddress, path: string): Errors {
  const errors: FieldError[] = parseIp(ip) === undefined ? [invalidField(`${path}.ip`, ip, INVALID_IP)] : [...unroutable(ip, `${path}.ip`)];
  return isMissing(hostname) ? errors : [...errors, ...follows(isDns1123Label, hostname, `${path}.hostname`)];
}

/** Addresses that mean the node itself or nobody are not endpoints. */
export function unroutable(ip: string, path: string): Errors {
  const { family, bits } = parseIp(ip) ?? {};
  const text = (range: string) => [invalidField(path, ip, range)];
  if (family === undefined || bits === undefined) return [];
  if (bits === 0n) return text(`may not be unspecified (${family === "IPv4" ? "0.0.0.0 or ::" : "0.0.0.0 or ::"})`);
  if (family === "IPv4" ? bits >> 24n === 127n : bits === 1n) return text("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (family === "IPv4" ? bits >> 16n === 0xa9fen : bits >> 118n === 0x3fan) {
    return text("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  }
  if (family === "IPv4" ? bits >> 8n === 0xe00000n : bits >> 112n === 0xff02n) {
    return text("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  }
  return [];
}
