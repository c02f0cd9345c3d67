package sshrun_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

func TestParseHostKey(t *testing.T) {
	key, line := servertest.NewKey(t, filepath.Join(t.TempDir(), "key"))
	fingerprint := ssh.FingerprintSHA256(key)
	for _, text := range []string{fingerprint, line, line + " root@gw1", line + "\n"} {
		got, err := sshrun.ParseHostKey(text)
		if err != nil || got.Fingerprint() != fingerprint {
			t.Errorf("ParseHostKey(%q) = %q, %v, want %s", text, got.Fingerprint(), err, fingerprint)
		}
	}
	for what, text := range map[string]string{
		"nothing": "", "a word": "accept", "MD5": "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
		"a short sum": "SHA256:AAAA", "padding": fingerprint + "=", "two": line + "\n" + line, "a blank before": " " + fingerprint,
		"options": `command="id" ` + line, "a line of known_hosts": "gw1 " + line, "an authority": "@cert-authority * " + line,
		"a key with touch": "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJjzc2a20RjCvN/0ibH6UpGuN9F9hDvD7x182bOesNhHAAAABHNzaDo=",
		"another sum":      "SHA512:" + strings.TrimPrefix(fingerprint, "SHA256:"),
	} {
		if _, err := sshrun.ParseHostKey(text); err == nil {
			t.Errorf("%s was accepted: %q", what, text)
		}
	}
}

func TestReadKey(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	key, public := servertest.NewKey(t, good)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{good, write("read-only", string(text), 0o400)} {
		signer, err := sshrun.ReadKey(path)
		if err != nil || ssh.FingerprintSHA256(signer.PublicKey()) != ssh.FingerprintSHA256(key) {
			t.Errorf("ReadKey(%s): %v", path, err)
		}
	}
	locked := filepath.Join(dir, "locked")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	body := strings.Split(string(text), "\n")[2]
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):                        "there is no such file",
		dir:                                               "it is not a file",
		write("group", string(text), 0o640):               "0640",
		write("world", string(text), 0o604):               "chmod 600",
		write("writable", string(text), 0o620):            "chmod 600",
		write("public", public, 0o600):                    "no private key",
		write("torn", string(text[:200]), 0o600):          "no private key",
		write("empty", "", 0o600):                         "no private key",
		write("large", strings.Repeat("a", 1<<20), 0o600): "larger than",
		locked: "passphrase",
	} {
		_, err := sshrun.ReadKey(path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), body) {
			t.Errorf("ReadKey(%s): %v, want %q and nothing of the key", filepath.Base(path), err, want)
		}
	}
}
