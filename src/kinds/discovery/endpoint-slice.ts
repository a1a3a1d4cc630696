import type { Endpoint, EndpointPort, EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField, tooManyField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, UNSET } from "../printing.ts";
import { type Errors, follows, immutable, isMissing, optionalEnum, same } from "../validation.ts";
import { parseIp } from "../ip.ts";
import { PROTOCOLS, portNumber } from "../core/container-rules.ts";
import { unroutable } from "../core/endpoints.ts";

export const EndpointSliceKind = defineKind<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  scope: "Namespaced",
  typeName: "io.k8s.api.discovery.v1.EndpointSlice",
  columns: [
    nameColumn,
    column("AddressType", "Kind of addresses in this slice.", ({ addressType }) => addressType),
    column(
      "Ports",
      "Ports of every endpoint in this slice.",
      ({ ports = [] }) => firstThree(ports.map(({ port, name }) => (port === undefined ? (name ?? "*") : String(port)))) || UNSET,
    ),
    column(
      "Endpoints",
      "Addresses of the endpoints.",
      ({ endpoints = [] }) => firstThree(endpoints.flatMap(({ addresses }) => addresses ?? [])) || UNSET,
    ),
    ageColumn,
  ],
  strategy: {
    generation: (next, previous) =>
      !same([next.endpoints, next.ports, next.addressType], [previous.endpoints, previous.ports, previous.addressType]),
    default: (slice) => ({
      ...slice,
      ...(slice.ports === undefined
        ? {}
        : { ports: slice.ports.map((port) => ({ ...port, name: port.name ?? "", protocol: port.protocol ?? "TCP" })) }),
    }),
    validate: validateSlice,
    validateUpdate: (next, previous) => immutable(next.addressType, previous.addressType, "addressType"),
  },
});

const ADDRESS_TYPES: readonly string[] = ["FQDN", "IPv4", "IPv6"];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 20_000;

function validateSlice({ addressType, endpoints = [], ports = [] }: EndpointSlice): Errors {
  const errors: FieldError[] = isMissing(addressType)
    ? [requiredField("addressType")]
    : [...optionalEnum(addressType, ADDRESS_TYPES, "addressType")];
  if (endpoints.length > MAX_ENDPOINTS) return [...errors, tooManyField("endpoints", endpoints.length, MAX_ENDPOINTS)];
  for (const [i, endpoint] of endpoints.entries()) errors.push(...validateEndpoint(endpoint, addressType, `endpoints[${i}]`));
  if (ports.length > MAX_PORTS) return [...errors, tooManyField("ports", ports.length, MAX_PORTS)];
  return [...errors, ...validateSlicePorts(ports)];
}

function validateEndpoint({ addresses, hostname, nodeName, hints }: Endpoint, type: string, path: string): Errors {
  const errors: FieldError[] = [];
  if (addresses.length === 0) errors.push(requiredField(`${path}.addresses`, "must contain at least 1 address"));
  if (addresses.length > MAX_ADDRESSES) errors.push(tooManyField(`${path}.addresses`, addresses.length, MAX_ADDRESSES));
  for (const [i, address] of addresses.entries()) {
    const at = `${path}.addresses[${i}]`;
    if (type === "FQDN") errors.push(...follows(isDns1123Subdomain, address, at));
    else if (type === "IPv4" || type === "IPv6") {
      if (parseIp(address)?.family !== type) errors.push(invalidField(at, address, `must be a valid ${type} address`));
      else errors.push(...unroutable(address, at));
    }
  }
  if (nodeName !== undefined) errors.push(...follows(isDns1123Subdomain, nodeName, `${path}.nodeName`));
  if (hostname !== undefined) errors.push(...follows(isDns1123Label, hostname, `${path}.hostname`));
  const zones = new Set<string>();
  for (const [i, { name }] of (hints?.forZones ?? []).entries()) {
    const at = `${path}.hints.forZones[${i}].name`;
    if (zones.has(name)) errors.push(duplicateField(at, name));
    zones.add(name);
    errors.push(...follows(isLabelKey, name, at));
  }
  return errors;
}

function validateSlicePorts(ports: readonly EndpointPort[]): Errors {
  const names = new Set<string>();
  return ports.flatMap(({ name = "", protocol, port, appProtocol }, i) => {
    const at = `ports[${i}]`;
    const errors: FieldError[] = name === "" ? [] : [...follows(isDns1123Label, name, `${at}.name`)];
    if (names.has(name)) errors.push(duplicateField(`${at}.name`, name));
    names.add(name);
    errors.push(...(protocol === undefined ? [requiredField(`${at}.protocol`)] : optionalEnum(protocol, PROTOCOLS, `${at}.protocol`)));
    if (port !== undefined) errors.push(...portNumber(port, `${at}.port`));
    if (appProtocol !== undefined) errors.push(...follows(isLabelKey, appProtocol, `${at}.appProtocol`));
    return errors;
  });
}
