import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { requestPem } from "../csrs.ts";
import { type CsrFacts, defineController, watching } from "../define.ts";
import { messageOf } from "../perform.ts";
import { needsSigning, type ObservedSigning, planCsrSigning, signingComplaint } from "./plan.ts";

export const csrSignerController = defineController({
  name: "csrsigner",
  component: "csr-signer",
  workers: 2,
  connect({ informers, settings }) {
    const csrs = informers.informer(CertificateSigningRequestKind);
    return {
      watches: [watching(csrs, ({ object }) => [object.metadata.name])],
      async observe(name, { now }) {
        const csr = csrs.lister.get({ name });
        return csr === undefined || !needsSigning(csr) ? undefined : { csr, outcome: await sign(csr), now };
      },
    };

    /** A fault of the request is an outcome; a fault of the CA is thrown and tried again. */
    async function sign(csr: CertificateSigningRequest): Promise<ObservedSigning["outcome"]> {
      const csrPem = requestPem(csr);
      let facts: CsrFacts;
      try {
        facts = settings.readCsr(csrPem);
      } catch (cause) {
        return { ok: false, because: messageOf(cause) };
      }
      const because = signingComplaint(csr, facts);
      if (because !== undefined) return { ok: false, because };
      const { usages = [], expirationSeconds } = csr.spec;
      return { ok: true, certificatePem: await settings.sign({ csrPem, usages, expirationSeconds }) };
    }
  },
  plan: planCsrSigning,
});
