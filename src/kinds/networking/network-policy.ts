import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from "#machinery/api/networking-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, selectorText } from "../printing.ts";
import { type Errors, isMissing, optionalEnum, validateLabelSelector } from "../validation.ts";
import { containsCidr, INVALID_CIDR, parseCidr } from "../ip.ts";
import { portNumberOrName, PROTOCOLS } from "../core/container-rules.ts";

export const NetworkPolicyKind = defineKind<NetworkPolicy>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  shortNames: ["netpol"],
  scope: "Namespaced",
  typeName: "io.k8s.api.networking.v1.NetworkPolicy",
  columns: [
    nameColumn,
    column("Pod-Selector", "Selects the pods the policy is about.", ({ spec }) => selectorText(spec?.podSelector)),
    ageColumn,
  ],
  strategy: {
    generation: "spec",
    default: (policy) => ({ ...policy, spec: defaultSpec(policy.spec ?? {}) }),
    validate: ({ spec }) => validateSpec(spec),
  },
});

/** A policy is about what comes in, and about what goes out where it has rules for it. */
function defaultSpec(spec: NetworkPolicySpec): NetworkPolicySpec {
  const withProtocol = <R extends { readonly ports?: readonly NetworkPolicyPort[] }>(rule: R): R =>
    rule.ports === undefined ? rule : { ...rule, ports: rule.ports.map((port) => ({ ...port, protocol: port.protocol ?? "TCP" })) };
  const both = (spec.egress?.length ?? 0) > 0;
  return {
    ...spec,
    podSelector: spec.podSelector ?? {},
    ...(spec.ingress === undefined ? {} : { ingress: spec.ingress.map(withProtocol) }),
    ...(spec.egress === undefined ? {} : { egress: spec.egress.map(withProtocol) }),
    policyTypes: (spec.policyTypes?.length ?? 0) > 0 ? (spec.policyTypes ?? []) : both ? ["Ingress", "Egress"] : ["Ingress"],
  };
}

function validateSpec(spec: NetworkPolicySpec): Errors {
  const errors: FieldError[] = [...validateLabelSelector(spec.podSelector, "spec.podSelector")];
  for (const [i, { ports = [], from = [] }] of (spec.ingress ?? []).entries()) {
    errors.push(...ports.flatMap((port, p) => validatePort(port, `spec.ingress[${i}].ports[${p}]`)));
    errors.push(...from.flatMap((peer, p) => validatePeer(peer, `spec.ingress[${i}].from[${p}]`)));
  }
  for (const [i, { ports = [], to = [] }] of (spec.egress ?? []).entries()) {
    errors.push(...ports.flatMap((port, p) => validatePort(port, `spec.egress[${i}].ports[${p}]`)));
    errors.push(...to.flatMap((peer, p) => validatePeer(peer, `spec.egress[${i}].to[${p}]`)));
  }
  const types = spec.policyTypes ?? [];
  if (types.length > 2) return [...errors, invalidField("spec.policyTypes", types, "may not specify more than two policyTypes")];
  return [...errors, ...types.flatMap((type, i) => optionalEnum(type, ["Egress", "Ingress"], `spec.policyTypes[${i}]`))];
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): Errors {
  const errors: FieldError[] = [...optionalEnum(protocol, PROTOCOLS, `${path}.protocol`)];
  if (port === undefined) {
    if (endPort !== undefined) errors.push(requiredField(`${path}.port`, "must be specified when `endPort` is specified"));
    return errors;
  }
  errors.push(...portNumberOrName(port, `${path}.port`));
  if (endPort === undefined) return errors;
  if (typeof port === "string") {
    errors.push(invalidField(`${path}.endPort`, endPort, "may not be specified when `port` is non-numeric"));
  } else {
    if (endPort < port) errors.push(invalidField(`${path}.endPort`, endPort, "must be greater than or equal to `port`"));
    errors.push(...portNumberOrName(endPort, `${path}.endPort`));
  }
  return errors;
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): Errors {
  const errors: FieldError[] = [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
  ];
  if (ipBlock !== undefined) errors.push(...validateBlock(ipBlock, `${path}.ipBlock`));
  if (podSelector === undefined && namespaceSelector === undefined && ipBlock === undefined) {
    errors.push(requiredField(path, "must specify a peer"));
  } else if (ipBlock !== undefined && (podSelector !== undefined || namespaceSelector !== undefined)) {
    errors.push(forbiddenField(path, "may not specify both ipBlock and another peer"));
  }
  return errors;
}

function validateBlock({ cidr, except = [] }: IPBlock, path: string): Errors {
  if (isMissing(cidr)) return [requiredField(`${path}.cidr`)];
  const outer = parseCidr(cidr);
  if (outer === undefined) return [invalidField(`${path}.cidr`, cidr, INVALID_CIDR)];
  return except.flatMap((text, i) => {
    const at = `${path}.except[${i}]`;
    const inner = parseCidr(text);
    if (inner === undefined) return [invalidField(at, text, INVALID_CIDR)];
    if (containsCidr(outer, inner) && inner.prefix > outer.prefix) return [];
    return [invalidField(at, text, `must be a strict subset of \`cidr\`: ${JSON.stringify(cidr)}`)];
  });
}
