import { describe, expect, test } from "vitest";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, node, START } from "#testing/builders.ts";
import { needsSigning, planCsrSigning, signingComplaint } from "../csrsigner/plan.ts";
import { planCsrCleaning } from "../csrcleaner/plan.ts";
import type { CsrFacts } from "../define.ts";
import { planCsrApproval } from "./plan.ts";

const NOW = Date.parse(START);
const CLIENT = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING = "kubernetes.io/kubelet-serving";
type Spec = CertificateSigningRequest["spec"];

const csr = (spec: Partial<Spec>, status: CertificateSigningRequest["status"] = {}): Stored<CertificateSigningRequest> => ({
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
  metadata: meta("csr", "csr-1"),
  spec: {
    request: "",
    signerName: CLIENT,
    usages: ["digital signature", "client auth"],
    username: "system:bootstrap:abc",
    groups: ["system:bootstrappers"],
    ...spec,
  },
  status,
});
const facts = (more: Partial<CsrFacts> = {}): CsrFacts => ({
  commonName: "system:node:n1",
  organizations: ["system:nodes"],
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  uris: [],
  ...more,
});
const self = { username: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
const serving = { signerName: SERVING, usages: ["digital signature", "server auth"], ...self } satisfies Partial<Spec>;
const n1 = {
  ...node("n1"),
  status: {
    addresses: [
      { type: "InternalIP", address: "192.168.0.11" },
      { type: "Hostname", address: "n1" },
    ],
  },
};
const approved = { conditions: [{ type: "Approved", status: "True", lastUpdateTime: START }] };

describe("planCsrApproval()", () => {
  test.each<[string, boolean, Partial<Spec>, Partial<CsrFacts>]>([
    ["a bootstrap token may ask for a node's client certificate", true, {}, {}],
    ["the node itself may renew it", true, self, {}],
    ["another node may not", false, { ...self, username: "system:node:n2" }, {}],
    ["anybody else may not", false, { username: "jane", groups: ["system:authenticated"] }, {}],
    ["not with names in it", false, {}, { dnsNames: ["x"] }],
    ["not for another organization", false, {}, { organizations: ["system:masters"] }],
    ["not for two organizations", false, {}, { organizations: ["system:nodes", "system:masters"] }],
    ["not for a common name that is no node", false, {}, { commonName: "admin" }],
    ["not for other usages", false, { usages: ["digital signature", "client auth", "server auth"] }, {}],
    ["not for other signers", false, { signerName: "kubernetes.io/kube-apiserver-client" }, {}],
    ["serving: its registered addresses", true, serving, { ipAddresses: ["192.168.0.11"], dnsNames: ["n1"] }],
    ["serving: not an address of somebody else", false, serving, { ipAddresses: ["192.168.0.11", "192.168.0.12"] }],
    ["serving: not without any address", false, serving, {}],
    ["serving: not with a bootstrap token", false, { signerName: SERVING, usages: serving.usages }, { dnsNames: ["n1"] }],
  ])("%s", (_name, wanted, spec, more) => {
    const { actions } = planCsrApproval({ csr: csr(spec), facts: facts(more), node: n1, now: NOW });
    expect(actions.map((action) => action.do === "update" && action.subresource)).toEqual(wanted ? ["approval"] : []);
  });

  test("says nothing where it was decided already", () => {
    expect(planCsrApproval({ csr: csr({}, approved), facts: facts(), node: undefined, now: NOW }).actions).toEqual([]);
  });
});

describe("planCsrSigning()", () => {
  test("signs what is approved, once, and only for signers of its own", () => {
    expect(needsSigning(csr({}, approved))).toBe(true);
    expect(needsSigning(csr({}))).toBe(false);
    expect(needsSigning(csr({}, { ...approved, certificate: "x" }))).toBe(false);
    expect(needsSigning(csr({ signerName: "example.com/mine" }, approved))).toBe(false);
    const { actions } = planCsrSigning({ csr: csr({}, approved), outcome: { ok: true, certificatePem: "PEM" }, now: NOW });
    expect(actions).toMatchObject([{ do: "update", subresource: "status", object: { status: { certificate: "UEVN" } } }]);
  });

  test("refuses what its signer must not sign, whoever approved it", () => {
    expect(signingComplaint(csr({}, approved), facts({ organizations: ["system:masters"] }))).toBe(
      'organization must be exactly "system:nodes"',
    );
    const user = csr({ signerName: "kubernetes.io/kube-apiserver-client" }, approved);
    expect(signingComplaint(user, facts({ organizations: ["system:masters"], commonName: "x" }))).toBe(
      'organization "system:masters" is not allowed',
    );
    expect(signingComplaint(user, facts({ organizations: ["dev"], commonName: "jane" }))).toBeUndefined();
    const { actions } = planCsrSigning({ csr: user, outcome: { ok: false, because: "no" }, now: NOW });
    expect(actions).toMatchObject([
      { object: { status: { conditions: [{ type: "Approved" }, { type: "Failed", reason: "SignerValidationFailure", message: "no" }] } } },
    ]);
  });
});

describe("planCsrCleaning()", () => {
  test("keeps settled requests for an hour and pending ones for a day", () => {
    expect(planCsrCleaning({ csr: csr({}, approved), now: NOW }).recheckAfterMs).toBe(3_600_000);
    expect(planCsrCleaning({ csr: csr({}, approved), now: NOW + 3_600_000 }).actions).toMatchObject([{ do: "delete" }]);
    expect(planCsrCleaning({ csr: csr({}), now: NOW + 3_600_000 }).actions).toEqual([]);
    expect(planCsrCleaning({ csr: csr({}), now: NOW + 24 * 3_600_000 }).actions).toMatchObject([{ do: "delete" }]);
  });
});
