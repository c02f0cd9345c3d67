package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stanch-soar/stanch/docs"
)

// Notify starts a detector that sends what it finds to a source of alerts, by the script
// that our documents offer. The url is that of the source, which knows the detector by the
// token.
func (l *Lab) Notify(ctx context.Context, d Detector, url, token string, most time.Duration) (*Program, error) {
	folder, err := l.Folder("notify")
	if err != nil {
		return nil, err
	}
	settings := filepath.Join(folder, "curl.conf")
	d.Script, d.Env = filepath.Join(folder, "fastnetmon-notify.sh"), append(d.Env, "STANCH_CURL="+settings)
	if err := os.WriteFile(settings, fmt.Appendf(nil, "url = %q\nheader = %q\n", url, "Authorization: Bearer "+token), 0o600); err != nil {
		return nil, fmt.Errorf("write the settings of curl: %w", err)
	}
	if err := os.WriteFile(d.Script, []byte(docs.FastNetMonNotify()), 0o700); err != nil {
		return nil, fmt.Errorf("write the detector's script: %w", err)
	}
	return l.Detect(ctx, d, most)
}
