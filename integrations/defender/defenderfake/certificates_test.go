package defenderfake_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// A file whose signature was checked is joined with what was started by its digest.
func TestSignaturesOfFiles(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.world.Change(ws1, func(h *edrtest.Host) {
		at := n.world.Now().Add(-30 * time.Minute)
		h.Processes = []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Signer: "Example Ltd", Start: at}, {PID: 2, Path: `C:\b.exe`, Start: at}}
	})
	got := n.hunt(`DeviceProcessEvents | where DeviceId == "`+ws1+`" and Timestamp > ago(2h)
		| join kind=leftouter (DeviceFileCertificateInfo | where DeviceId == "`+ws1+`" and Timestamp > ago(2h) | summarize arg_max(Timestamp, IsSigned, Signer) by SHA1) on SHA1
		| sort by ProcessId asc | project ProcessId, IsSigned, Signer`, "")
	if len(got) != 2 || got[0]["IsSigned"] != true || got[0]["Signer"] != "Example Ltd" || got[1]["IsSigned"] != nil {
		t.Errorf("the rows are %v", got)
	}
}
