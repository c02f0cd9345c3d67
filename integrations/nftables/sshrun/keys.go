package sshrun

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 64 << 10

// HostKey is the one key by which a host is known: the whole key, or its fingerprint.
type HostKey struct {
	fingerprint string
	// algorithms are those by which the host proves that it has the key.
	algorithms []string
}

// ParseHostKey reads a fingerprint as ssh-keygen -l shows it, SHA256:…, or a public key
// as it stands in the host's own file, ssh-ed25519 AAAA….
func ParseHostKey(text string) (HostKey, error) {
	if sum, ok := strings.CutPrefix(text, "SHA256:"); ok {
		if raw, err := base64.RawStdEncoding.Strict().DecodeString(sum); err != nil || len(raw) != 32 {
			return HostKey{}, errors.New("the fingerprint is not SHA256: and 43 letters, digits, + and /, as ssh-keygen -l shows it")
		}
		return HostKey{text, everyHostAlgorithm()}, nil
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(rest) > 0 {
		return HostKey{}, errors.New("it is neither a fingerprint SHA256:… nor one public key such as ssh-ed25519 AAAA…")
	}
	algorithms := hostAlgorithms(key.Type())
	if len(algorithms) == 0 {
		return HostKey{}, fmt.Errorf("keys of type %s are not accepted: there are ssh-ed25519, ecdsa-sha2-nistp256, 384 and 521, and ssh-rsa", key.Type())
	}
	return HostKey{ssh.FingerprintSHA256(key), algorithms}, nil
}

// Fingerprint is the key's, SHA256:….
func (k HostKey) Fingerprint() string { return k.fingerprint }

func (k HostKey) is(key ssh.PublicKey) bool {
	return subtle.ConstantTimeCompare([]byte(k.fingerprint), []byte(ssh.FingerprintSHA256(key))) == 1
}

// hostAlgorithms are the signatures that a key of a type gives. Those with SHA-1 are not
// among them.
func hostAlgorithms(of string) []string {
	switch of {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return []string{of}
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return nil
}

// everyHostAlgorithm is in the order in which a host with several keys is asked for one.
func everyHostAlgorithm() []string {
	var all []string
	for _, of := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA} {
		all = append(all, hostAlgorithms(of)...)
	}
	return all
}

// ReadKey reads a private key without a passphrase from a file that nobody but its owner
// may read or write. Its errors hold nothing of the key.
func ReadKey(path string) (ssh.Signer, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case errors.Is(err, fs.ErrPermission):
		return nil, errors.New("the file cannot be read: give it to the user that runs stanch")
	case err != nil:
		return nil, errors.New("the file cannot be read")
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others than its owner have rights on the file (%04o): chmod 600", info.Mode().Perm())
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("the file is larger than %d bytes", maxKeyFile)
	}
	text := make([]byte, info.Size())
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, errors.New("the file cannot be read")
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		return nil, errors.New("the key has a passphrase, which nobody could enter: make one without, as ssh-keygen -N '' does")
	}
	if err != nil {
		return nil, errors.New("the file holds no private key that is understood, as ssh-keygen -t ed25519 makes one")
	}
	if len(hostAlgorithms(signer.PublicKey().Type())) == 0 {
		return nil, fmt.Errorf("keys of type %s are not accepted: ssh-keygen -t ed25519 makes one that is", signer.PublicKey().Type())
	}
	return signer, nil
}
