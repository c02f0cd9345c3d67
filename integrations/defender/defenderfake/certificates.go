package defenderfake

import (
	"crypto/sha1"
	"encoding/hex"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// sha1Of is the digest of an image. The world has none: it is that of the image's path.
func sha1Of(p *edrtest.Process) string {
	sum := sha1.Sum([]byte(p.Path))
	return hex.EncodeToString(sum[:])
}

// certificates are the checks of the signatures of what a device ran, one for each start.
// By its page the table is about files with certificates; that one without is in it too is
// not said, and a file that is not there has to be taken for unknown.
func certificates(h edrtest.Host) []record {
	var out []record
	for _, p := range h.Processes {
		if p.Signer == "" {
			continue
		}
		out = append(out, record{p.Start, map[string]any{"SHA1": sha1Of(p), "IsSigned": true, "IsTrusted": true, "Signer": p.Signer}})
	}
	return out
}
