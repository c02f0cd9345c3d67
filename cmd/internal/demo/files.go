package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// shipped are the files of the demos: for each its stanch.yaml and its playbook, for the
// simulated estate its inventory, its alert and its flow log.
//
//go:embed files/stanch.yaml files/inventory.yaml files/alert.json files/conn.log.gz files/playbooks real
var shipped embed.FS

// The files of a demo's folder that have names of their own.
const (
	configFile = "stanch.yaml"
	alertFile  = "alert.json"
	flowLog    = "conn.log.gz"
	secretFile = "siem.secret"
	tokenFile  = "analyst.token"
	logFile    = "stanch.log"

	playbookFile = "playbooks/high-egress-windows.yaml"
)

// ErrFolder marks a folder that cannot be used because it is not empty. It is left
// as it was.
var ErrFolder = errors.New("the folder is not empty")

// folder is the folder of one demo.
type folder struct {
	dir string
	// temporary reports that the folder is removed at the end.
	temporary bool
	// log is where the log is, or is kept when the rest is removed.
	log    string
	token  integrations.Secret
	secret integrations.Secret
}

// layOut makes the folder and puts the files of the simulated estate into it, with fresh
// secrets. Without a name it is a new temporary folder.
func layOut(dir string) (*folder, error) {
	temporary := dir == ""
	dir, err := emptyFolder(dir)
	if err != nil {
		return nil, err
	}
	return fill(dir, temporary, "files", secretFile)
}

// fill puts the shipped files of one story into an empty folder, with fresh secrets; that
// of the source of alerts has a file of its own name. Each odd word of them is replaced by
// the one after it.
func fill(dir string, temporary bool, story, secret string, words ...string) (*folder, error) {
	f := &folder{dir: dir, temporary: temporary, token: newSecret(), secret: newSecret()}
	f.log = f.path(logFile)
	sum := sha256.Sum256([]byte(f.token.Reveal()))
	filled := strings.NewReplacer(append(words, "@TOKEN_SHA256@", hex.EncodeToString(sum[:]))...)
	err := fs.WalkDir(shipped, story, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(strings.TrimPrefix(path, story), "/")
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(f.path(name), 0o700)
		case name == flowLog:
			return nil // It is imported from where it is.
		}
		data, err := shipped.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(f.path(name), []byte(filled.Replace(string(data))), 0o600)
	})
	if err != nil {
		return nil, fmt.Errorf("lay out the demo's folder: %w", err)
	}
	for name, secret := range map[string]integrations.Secret{secret: f.secret, tokenFile: f.token} {
		if err := os.WriteFile(f.path(name), []byte(secret.Reveal()+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("keep a secret of the demo: %w", err)
		}
	}
	return f, nil
}

// emptyFolder makes the folder, or a temporary one, and returns its full path.
func emptyFolder(dir string) (string, error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "stanch-demo-")
		if err != nil {
			return "", fmt.Errorf("make the demo's folder: %w", err)
		}
		return made, nil
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the folder %q: %w", dir, err)
	}
	if err := os.MkdirAll(full, 0o700); err != nil {
		return "", fmt.Errorf("make the folder %q: %w", dir, err)
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return "", fmt.Errorf("look into the folder %q: %w", dir, err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("start a demo in %q: %w: each demo begins with a world of its own", dir, ErrFolder)
	}
	return full, nil
}

func newSecret() integrations.Secret { return integrations.Secret(rand.Text() + rand.Text()) }

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// alert returns the shipped alert as it is posted, with the present time.
func (f *folder) alert(now time.Time) ([]byte, error) {
	data, err := os.ReadFile(f.path(alertFile))
	if err != nil {
		return nil, fmt.Errorf("read the shipped alert: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read the shipped alert: %w", err)
	}
	fields["time"] = now.UTC().Format(time.RFC3339)
	data, err = json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("date the shipped alert: %w", err)
	}
	if err := os.WriteFile(f.path(alertFile), data, 0o600); err != nil {
		return nil, fmt.Errorf("keep the alert that is posted: %w", err)
	}
	return data, nil
}
