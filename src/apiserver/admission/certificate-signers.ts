import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { isDeepStrictEqual } from "node:util";
import { readSigningRequest } from "#pki/csr.ts";
import { forbidden } from "#machinery/status.ts";
import type { Authorizer } from "../auth/authorize.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

/** Approving and signing need a right on the signer; nobody may ask for a certificate of a member of system:masters. */
export function certificateSigners({ authorize }: { readonly authorize: Authorizer }): AdmissionPlugin {
  return {
    name: "CertificateSigners",
    async validate(request) {
      const { kind, operation, subresource } = request;
      if (kind.kind !== "CertificateSigningRequest") return;
      if (operation === "CREATE" && subresource === "") return checkSubject(request);
      if (operation !== "UPDATE") return;
      const [next, previous] = [request.object as CertificateSigningRequest, request.previous as CertificateSigningRequest];
      if (subresource === "approval") return checkSigner(request, "approve", "approve");
      if (subresource === "status" && !isDeepStrictEqual(next.status?.certificate, previous.status?.certificate)) {
        return checkSigner(request, "sign", "sign");
      }
    },
  };

  async function checkSigner(request: AdmissionRequest, verb: string, word: string): Promise<void> {
    const { signerName } = (request.object as CertificateSigningRequest).spec;
    const [domain = ""] = signerName.split("/");
    for (const name of [signerName, `${domain}/*`]) {
      const decision = await authorize({
        user: request.user, verb, isResource: true, group: "certificates.k8s.io", version: "*", resource: "signers", subresource: "", namespace: "", name, path: "",
      }); // biome-ignore format: one glance
      if (decision.allowed) return;
    }
    throw forbidden(request.kind, request.name, `user not permitted to ${word} requests with signerName ${JSON.stringify(signerName)}`);
  }
}

function checkSubject(request: AdmissionRequest): void {
  const { spec } = request.object as CertificateSigningRequest;
  if (spec.signerName !== "kubernetes.io/kube-apiserver-client") return;
  const asked = readSigningRequest(Buffer.from(spec.request, "base64").toString());
  if (asked?.orgs.includes("system:masters") === true) {
    throw forbidden(
      request.kind,
      request.name,
      `use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`,
    );
  }
}
