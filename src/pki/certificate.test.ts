import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createCa, issueCertificate, loadCa } from "./certificate.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");

test("issueCertificate() makes a leaf that its authority vouches for, with names and addresses told apart", async () => {
  const ca = loadCa(await createCa({ cn: "ca", days: 10, now: NOW }));
  const { certPem, keyPem } = await issueCertificate({
    ca,
    cn: "system:node:n1",
    orgs: ["system:nodes"],
    sans: ["n1", "192.168.0.11", "fd00::b"],
    usages: ["server", "client"],
    days: 365,
    now: NOW,
  });
  const [authority, leaf] = [new X509Certificate(ca.certPem), new X509Certificate(certPem)];
  expect([authority.ca, leaf.ca, leaf.checkIssued(authority), leaf.verify(authority.publicKey)]).toEqual([true, false, true, true]);
  expect(leaf.subject).toBe("O=system:nodes\nCN=system:node:n1");
  expect(leaf.subjectAltName).toBe("DNS:n1, IP Address:192.168.0.11, IP Address:FD00:0:0:0:0:0:0:B");
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(Date.parse(leaf.validTo)).toBe(Date.parse(authority.validTo)); // never longer than its authority
  expect(Date.parse(leaf.validFrom)).toBeLessThan(NOW);
  expect(keyPem).toContain("PRIVATE KEY");
});
