package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
)

// maxSecret bounds a secret's file.
const maxSecret = 64 << 10

// SecretText reads a secret from a file of its own: without the end of line.
// Invisible characters that an editor or a shell adds are an error here, as a
// credential with them is always refused. The error contains nothing of the text.
func SecretText(data []byte) (string, error) {
	switch {
	case len(data) > maxSecret:
		return "", fmt.Errorf("the file is larger than %d bytes", maxSecret)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")), bytes.IndexByte(data, 0) >= 0:
		return "", errors.New("the file is UTF-16 or holds NUL bytes: write it as plain text, as printf does (PowerShell: -Encoding ascii)")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return "", errors.New("the file begins with a byte order mark: save it without one")
	case !utf8.Valid(data):
		return "", errors.New("the file is not UTF-8")
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case text == "":
		return "", errors.New("the file is empty")
	case strings.TrimSpace(text) != text:
		return "", errors.New("white space around the secret: only one newline may follow it")
	case strings.ContainsFunc(text, invisible):
		return "", errors.New("the file has an invisible character, such as a zero-width space or a control character: write the secret anew")
	}
	return text, nil
}

// invisible reports whether a character is probably not meant to be part of a
// secret. Ends of line are not among them: a file of keys has one on each line.
func invisible(r rune) bool {
	return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0x7f || slices.Contains([]rune{0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xa0}, r)
}

// readSecret reads a secret from its file. Only
// encryption keys may have several lines.
// Its errors name neither the text nor
// the path: a user who wrote the secret itself as the path would find it in a
// log.
func (c *Config) readSecret(path string) (string, error) {
	path = c.Path(path)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("there is no such file; a path that is not absolute starts from the folder of this file")
	case errors.Is(err, fs.ErrPermission):
		return "", errors.New("the file cannot be read: give it to the user that runs stanch")
	case err != nil:
		return "", errors.New("the file cannot be read")
	}
	text, err := SecretText(data)
	if err == nil && strings.ContainsAny(text, "\r\n") {
		if _, notKeys := engine.ParseKeys(integrations.Secret(text)); notKeys != nil {
			return "", errors.New("the file has several lines; a secret must be a single line")
		}
	}
	if err == nil && !slices.Contains(c.secretFiles, path) {
		c.secretFiles = append(c.secretFiles, path)
	}
	return text, err
}

// readable are the rights by which others than the owner read a file.
const readable = 0o044

// Exposed returns the files with secrets that more than their owner may read,
// sorted: those that hold one each, the keys of TLS, and the
// configuration itself where it holds secrets.
func (c *Config) Exposed() []string {
	files := slices.Clone(c.secretFiles)
	if c.Temporal.TLS != nil && c.Temporal.TLS.Key != "" {
		files = append(files, c.Temporal.TLS.Key)
	}
	if c.TLS != nil && c.TLS.Key != "" {
		files = append(files, c.TLS.Key)
	}
	if c.inline {
		files = append(files, c.file)
	}
	files = slices.DeleteFunc(files, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Mode().Perm()&readable == 0
	})
	slices.Sort(files)
	return slices.Compact(files)
}
