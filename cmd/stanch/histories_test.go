package main_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

// histories is where the recorded histories stand, which the tests of the
// workflows replay.
const histories = "../../workflows/testdata/histories"

// generation is the end of the names of what the code of today records. The
// histories of earlier releases are next to them. The first had none: raise it
// after a release, when the commands of a path change.
const generation = "-3"

var record = flag.Bool("record", false, "add the histories that were not recorded yet to "+histories)

const historyExt = ".json.gz"

// write adds the histories of new paths. One that stands there is kept: it is
// what a release wrote.
func (r *recorder) write() {
	r.t.Helper()
	standing := recorded(r.t)
	digests, err := os.OpenFile(filepath.Join(histories, "DIGESTS"), os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.kept)) {
		if slices.Contains(standing, name) {
			continue
		}
		data := r.kept[name]
		if err := os.WriteFile(filepath.Join(histories, name+historyExt), data, 0o644); err != nil {
			r.t.Fatal(err)
		}
		if _, err := fmt.Fprintf(digests, "%x  %s\n", sha256.Sum256(data), name+historyExt); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := digests.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func recorded(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, "*"+historyExt))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), historyExt)
	}
	slices.Sort(files)
	return files
}

// compareNames wants a recorded history for every path of today.
func (r *recorder) compareNames() {
	r.t.Helper()
	ofToday := slices.DeleteFunc(recorded(r.t), func(name string) bool { return !strings.HasSuffix(name, generation) || !*record && isSlow(name) })
	if got, want := ofToday, slices.Sorted(maps.Keys(r.kept)); !slices.Equal(got, want) {
		r.t.Errorf("%s holds\n%q, the paths give\n%q: record them, see the README there", histories, got, want)
	}
}

// decode has a history's payloads be as the workflows wrote them, so that it can
// be read without Stanch.
func (r *recorder) decode(h *historypb.History) {
	r.t.Helper()
	codecs, err := engine.Config{}.Codecs()
	if err != nil {
		r.t.Fatal(err)
	}
	decode := func(_ *proxy.VisitPayloadsContext, payloads []*common.Payload) (_ []*common.Payload, err error) {
		for _, c := range codecs {
			if payloads, err = c.Decode(payloads); err != nil {
				return nil, err
			}
		}
		return payloads, nil
	}
	if err := proxy.VisitPayloads(r.t.Context(), h, proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: decode}); err != nil {
		r.t.Fatal(err)
	}
}
