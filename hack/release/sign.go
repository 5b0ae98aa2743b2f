package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// signer calls cosign: with a key in a rehearsal, without one (keyless) in the
// workflow. Nothing else differs.
type signer struct {
	destination
	cosign, key      string
	onlyChecksums    bool   // the file, instead of what is in the registry
	identity, issuer string // whom a keyless signature must be from
}

func (s *signer) flags(f *flag.FlagSet) {
	s.destination.flags(f)
	f.StringVar(&s.cosign, "cosign", "cosign", "the program cosign")
	f.BoolVar(&s.onlyChecksums, "checksums", false, "checksums.txt, instead of what is in the registry")
	f.StringVar(&s.key, "key", "", "key file: private to sign, public to verify; keyless, if empty")
}

func (s *signer) look() error {
	if _, err := exec.LookPath(s.cosign); err != nil {
		return fmt.Errorf("cosign is missing: %s", howToGet["cosign"])
	}
	return nil
}

// run runs cosign, and shows what it says only if it fails.
func (s *signer) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, s.cosign, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD="+os.Getenv("COSIGN_PASSWORD")) // set, or it is asked for
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cosign %s %s: %w\n%s", args[0], args[len(args)-1], err, said.Bytes())
	}
	return nil
}

// signing are the flags that say with what to sign. With a key nothing is written
// to a public log, which a rehearsal could not reach and should not fill.
func (s *signer) signing() []string {
	if s.key == "" {
		return nil
	}
	return []string{"--key=" + s.key, "--use-signing-config=false", "--tlog-upload=false"}
}

// verifying are the flags that say whose signature is wanted.
func (s *signer) verifying() []string {
	if s.key == "" {
		return []string{"--certificate-identity=" + s.identity, "--certificate-oidc-issuer=" + s.issuer}
	}
	return []string{"--key=" + s.key, "--insecure-ignore-tlog=true"}
}

// attestation is a statement about something in the registry.
type attestation struct{ kind, file, subject string }

// attestations are the SBOM of each platform's image, and the provenance of image
// and chart.
func (s *signer) attestations() []attestation {
	origin := filepath.Join(s.dist, "provenance.json")
	list := []attestation{{"slsaprovenance1", origin, s.image()}, {"slsaprovenance1", origin, s.chart()}}
	for _, p := range s.result.Image.Platforms {
		bom := filepath.Join(s.dist, sbomOfImage(filepath.Base(p.Name)))
		list = append(list, attestation{"spdxjson", bom, s.byDigest(s.result.Image.Name, p.Digest)})
	}
	return list
}

func (s *signer) checksums() (file, bundle string) {
	file = filepath.Join(s.dist, "checksums.txt")
	return file, file + ".sigstore.json"
}

func signCommand(ctx context.Context, args []string) error {
	var s signer
	f := flag.NewFlagSet("sign", flag.ContinueOnError)
	s.flags(f)
	if err := errors.Join(s.parse(f, args), s.look()); err != nil {
		return err
	}
	if s.onlyChecksums {
		file, bundle := s.checksums()
		err := s.run(ctx, append(append([]string{"sign-blob", "--yes", "--bundle=" + bundle}, s.signing()...), file)...)
		if err == nil {
			fmt.Println("signed  ", file)
		}
		return err
	}
	for _, subject := range []string{s.image(), s.chart()} {
		if err := s.run(ctx, append(append([]string{"sign", "--yes", "--recursive"}, s.signing()...), subject)...); err != nil {
			return err
		}
		fmt.Println("signed  ", subject)
	}
	for _, a := range s.attestations() {
		args := append([]string{"attest", "--yes", "--type=" + a.kind, "--predicate=" + a.file}, s.signing()...)
		if err := s.run(ctx, append(args, a.subject)...); err != nil {
			return err
		}
		fmt.Println("attested", a.kind, a.subject)
	}
	return nil
}

func verifyCommand(ctx context.Context, args []string) error {
	var s signer
	f := flag.NewFlagSet("verify", flag.ContinueOnError)
	s.flags(f)
	f.StringVar(&s.identity, "identity", "", "keyless: the workflow that signed")
	f.StringVar(&s.issuer, "issuer", "", "keyless: who vouches for the workflow")
	if err := errors.Join(s.parse(f, args), s.look()); err != nil {
		return err
	}
	if s.key == "" && (s.identity == "" || s.issuer == "") {
		return errors.New("whose signature is wanted is not said: set KEY, or IDENTITY and ISSUER")
	}
	if s.onlyChecksums {
		file, bundle := s.checksums()
		err := s.run(ctx, append(append([]string{"verify-blob", "--bundle=" + bundle}, s.verifying()...), file)...)
		if err == nil {
			fmt.Println("verified", file)
		}
		return err
	}
	for _, subject := range []string{s.image(), s.chart()} {
		if err := s.run(ctx, append(append([]string{"verify"}, s.verifying()...), subject)...); err != nil {
			return err
		}
	}
	for _, a := range s.attestations() {
		args := append([]string{"verify-attestation", "--type=" + a.kind}, s.verifying()...)
		if err := s.run(ctx, append(args, a.subject)...); err != nil {
			return err
		}
	}
	fmt.Printf("verified image, chart and %d attestations\n", len(s.attestations()))
	return nil
}
