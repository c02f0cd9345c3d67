package sentinelone

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// killing does on a device of the world what stanch-kill.ps1 does.
type killing struct {
	mu    sync.Mutex
	ended []int64
	done  int
}

func (k *killing) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ended)
}

func (k *killing) run(h edrtest.Host, name, input string) edrtest.Result {
	args := strings.Fields(input)
	if name != killScript || len(args) != 3 || !strings.HasPrefix(args[1], "p") {
		return edrtest.Result{Exit: 1, Stderr: "invalid arguments"}
	}
	pid, err1 := strconv.ParseInt(args[0], 10, 32)
	path, err2 := base64.RawURLEncoding.DecodeString(args[1][1:])
	since, err3 := strconv.ParseInt(args[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return edrtest.Result{Exit: 1, Stderr: "invalid arguments"}
	}
	say := func(result string) edrtest.Result {
		line, _ := json.Marshal(map[string]any{"result": result, "pid": pid, "detail": ""})
		return edrtest.Result{Stdout: "Transcript started\r\n" + string(line) + "\r\n"}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(k.ended, pid) {
		return say("gone")
	}
	for _, p := range h.Processes {
		switch {
		case p.PID != pid || !p.End.IsZero():
		case !strings.EqualFold(p.Path, string(path)), since != 0 && since != p.Start.UnixMilli():
			return say("other")
		default:
			k.ended = append(k.ended, pid)
			return say("ended")
		}
	}
	return say("gone")
}

// end ends in the world what scripts have ended.
func (k *killing) end(w *edrtest.World, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for ; k.done < len(k.ended); k.done++ {
		w.Change(id, func(h *edrtest.Host) {
			h.Processes = slices.Clone(h.Processes)
			for i, p := range h.Processes {
				if p.PID == k.ended[k.done] {
					over := *p
					over.End = time.Now()
					h.Processes[i] = &over
				}
			}
		})
	}
}
