package workflows_test

import (
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/workflows/historytest"
)

// A case of today starts no timer that the same workflow task cancels, and notes
// in one marker which changes it has, whatever path it takes.
func TestACaseAsksForNothingInVain(t *testing.T) {
	t.Parallel()
	cases := 0
	for _, file := range historytest.Files(t, histories) {
		name := strings.TrimSuffix(filepath.Base(file), historytest.Ext)
		if !strings.HasPrefix(name, "respond-") || !strings.HasSuffix(name, "-3") {
			continue
		}
		cases++
		started, versions := map[string]int64{}, 0
		for _, e := range historytest.History(t, file).GetEvents() {
			switch e.GetEventType() {
			case enumspb.EVENT_TYPE_TIMER_STARTED:
				a := e.GetTimerStartedEventAttributes()
				started[a.GetTimerId()] = a.GetWorkflowTaskCompletedEventId()
			case enumspb.EVENT_TYPE_TIMER_CANCELED:
				a := e.GetTimerCanceledEventAttributes()
				if started[a.GetTimerId()] == a.GetWorkflowTaskCompletedEventId() {
					t.Errorf("%s: the task that started timer %s cancels it", name, a.GetTimerId())
				}
			case enumspb.EVENT_TYPE_MARKER_RECORDED:
				if e.GetMarkerRecordedEventAttributes().GetMarkerName() == "Version" {
					versions++
				}
			default:
			}
		}
		if versions > 1 {
			t.Errorf("%s has %d markers of versions", name, versions)
		}
	}
	if cases < 50 {
		t.Errorf("%d cases were looked at", cases)
	}
}
