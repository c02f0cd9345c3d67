package incident

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// What a value writes is read the quick way; the strict way must read the same
// from the same bytes, whatever they are.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		`{"value":"a","from":"edr"}`, `{"value":7,"from":"flows"}`, `{"value":true,"from":"computed"}`, `{"value":0.5,"from":"assumed"}`,
		`{"value":["a"],"from":"alert"}`, `{"value":"2026-11-20T10:00:00Z","from":"inventory"}`, `{"unknown":"flows: timed out"}`, `{"unknown":""}`,
		`{"value":null,"from":"edr"}`, `{"value":"a","from":""}`, `{"value":"a","from":"elsewhere"}`, `{"value":"a"}`, `{"unknown":null}`, `{"unknown":7}`,
		`{"value":1,"value":2,"from":"edr"}`, `{"value":"a","from":"edr","from":"alert"}`, `{"unknown":"a","value":1,"from":"edr"}`,
		`{"value":"a","from":"edr","extra":1}`, `{"value":"x\",\"from\":\"edr","from":"alert"}`, `{"value":}`, `{"value":"a" ,"from":"edr"}`,
		`null`, `"bare"`, `7`, `[]`, `{}`, ` {"value":7,"from":"edr"} `,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		readsAlike[string](t, text)
		readsAlike[int64](t, text)
		readsAlike[bool](t, text)
		readsAlike[float64](t, text)
		readsAlike[[]string](t, text)
		readsAlike[time.Time](t, text)
		readsAlike[time.Duration](t, text)
		readsAlike[struct {
			A int `json:"a"`
		}](t, text)
	})
}

func readsAlike[T any](t *testing.T, text string) {
	t.Helper()
	if !json.Valid([]byte(text)) {
		return
	}
	var quick, strict Value[T]
	if !quick.readOwn([]byte(text)) {
		return
	}
	if err := strict.read([]byte(text)); err != nil {
		t.Errorf("%s of %T is read as %v, and must be refused: %v", text, quick.v, quick, err)
	} else if !reflect.DeepEqual(quick, strict) {
		t.Errorf("%s of %T is read as %#v, want %#v", text, quick.v, quick, strict)
	}
}

func TestAValueIsReadTheQuickWayAsItIsWritten(t *testing.T) {
	readsOwn(t, Known("x\",\"from\":\"edr", FromAlert))
	readsOwn(t, Known(int64(-7), FromFlows))
	readsOwn(t, Known(true, Computed))
	readsOwn(t, Known(0.25, Assumed))
	readsOwn(t, Known([]string{"10.0.0.1", "<&>"}, FromInventory))
	readsOwn(t, Known(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), FromEDR))
	readsOwn(t, Known(90*time.Second, FromAlert))
	readsOwn(t, NotKnown[string]("edr: timed out"))
	readsOwn(t, NotKnown[int64](""))
}

func readsOwn[T any](t *testing.T, v Value[T]) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got Value[T]
	if !got.readOwn(data) {
		t.Errorf("%s is read the slow way", data)
	} else if !reflect.DeepEqual(got, v) {
		t.Errorf("%s is read as %v, want %v", data, got, v)
	}
}
