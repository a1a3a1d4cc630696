import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import { NodeKind } from "#kinds/core/node.ts";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { isApproved, isDenied, KUBELET_SERVING_SIGNER, requestPem } from "../csrs.ts";
import { type CsrFacts, defineController, watching } from "../define.ts";
import { nodeNameOf, planCsrApproval } from "./plan.ts";

export const csrApproverController = defineController({
  name: "csrapprover",
  component: "csr-approver",
  workers: 2,
  connect({ informers, settings, log }) {
    const csrs = informers.informer(CertificateSigningRequestKind);
    const nodes = informers.informer(NodeKind);
    return {
      watches: [
        watching(csrs, ({ object }) => [object.metadata.name]),
        // A node may register an address after it asked for the certificate with it.
        watching(nodes, ({ object }) =>
          csrs.lister
            .list()
            .filter((csr) => csr.spec.signerName === KUBELET_SERVING_SIGNER && !isApproved(csr) && !isDenied(csr))
            .filter((csr) => nodeNameOf(csr) === object.metadata.name)
            .map(({ metadata }) => metadata.name),
        ),
      ],
      observe(name, { now }) {
        const csr = csrs.lister.get({ name });
        if (csr === undefined || isApproved(csr) || isDenied(csr)) return undefined;
        const node = nodeNameOf(csr);
        return { csr, facts: factsOf(csr), node: node === undefined ? undefined : nodes.lister.get({ name: node }), now };
      },
    };

    function factsOf(csr: CertificateSigningRequest): CsrFacts | undefined {
      try {
        return settings.readCsr(requestPem(csr));
      } catch (cause) {
        log.debug("Certificate request cannot be read", { csr: csr.metadata.name, cause });
        return undefined;
      }
    }
  },
  plan: planCsrApproval,
});
