import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import { defineController, watching } from "../define.ts";
import { planCsrCleaning } from "./plan.ts";

export const csrCleanerController = defineController({
  name: "csrcleaner",
  component: "csr-cleaner",
  workers: 1,
  connect({ informers }) {
    const csrs = informers.informer(CertificateSigningRequestKind);
    return {
      watches: [watching(csrs, ({ object }) => [object.metadata.name])],
      observe(name, { now }) {
        const csr = csrs.lister.get({ name });
        return csr === undefined ? undefined : { csr, now };
      },
    };
  },
  plan: planCsrCleaning,
});
