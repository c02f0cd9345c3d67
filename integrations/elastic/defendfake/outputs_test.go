package defendfake_test

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// A command that fails is an action that succeeds: what the command says of
// itself is in its shell_code. A long output is cut, and whole in a file.
func TestExecute(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{OutputBytes: 10})
	var ran string
	w.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		ran = h.Name + ":" + name + input
		return edrtest.Result{Exit: 3, Stdout: strings.Repeat("0123456789", 3), Stderr: "no"}
	})
	id := c.order("execute", `{"endpoint_ids":["`+web+`"],"parameters":{"command":"powershell -File x.ps1"}}`)
	a := c.get("/api/endpoint/action/" + id)
	same(t, "the timeout", a.at("data", "parameters", "timeout"), 14400)
	same(t, "the outputs", a.at("data", "outputs"), map[string]any{})
	file := "/api/endpoint/action/" + id + "/file/" + id + "." + web
	want(t, c.get(file), http.StatusNotFound, "not found")
	w.Settle()
	same(t, "what ran", ran, "WEB1:powershell -File x.ps1")
	a = c.get("/api/endpoint/action/" + id)
	same(t, "the status", a.at("data", "status"), "successful")
	content := func(key string) any { return a.at("data", "outputs", web, "content", key) }
	same(t, "the output", []any{content("code"), content("shell_code"), content("stdout"), content("stdout_truncated"), content("stderr"), content("stderr_truncated")},
		[]any{"ra_execute_success_done", 3, "0123456789", true, "no", false})
	same(t, "where the file is", content("downloadUri"), file+"/download")
	a = c.get(file)
	same(t, "the file", []any{a.at("data", "status"), a.at("data", "agentId")}, []any{"READY", web})
	a = c.get(file + "/download")
	same(t, "its kind", a.header.Get("Content-Type"), "application/octet-stream")
	same(t, "stdout", unpack(t, a.text, "stdout"), strings.Repeat("0123456789", 3))
	want(t, c.get("/api/endpoint/action/"+id+"/file/other."+web), http.StatusBadRequest, "Invalid file id")
	want(t, c.get("/api/endpoint/action/"+id+"/file/"+id+"."+lab+"/download"), http.StatusNotFound, "not found")
}

// unpack opens an archive with its password, by the same appendix of the format
// but from the other end.
func unpack(t *testing.T, archive, name string) string {
	t.Helper()
	r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if f.Name != name {
			continue
		}
		raw, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := io.ReadAll(raw)
		if err != nil {
			t.Fatal(err)
		}
		k0, k1, k2 := uint32(0x12345678), uint32(0x23456789), uint32(0x34567890)
		update := func(b byte) {
			k0 = crc32.IEEETable[byte(k0)^b] ^ k0>>8
			k1 = (k1+k0&0xff)*134775813 + 1
			k2 = crc32.IEEETable[byte(k2)^byte(k1>>24)] ^ k2>>8
		}
		for _, b := range []byte("elastic") {
			update(b)
		}
		var plain bytes.Buffer
		for _, b := range sealed {
			temp := uint16(k2) | 2
			b ^= byte(temp * (temp ^ 1) >> 8)
			update(b)
			plain.WriteByte(b)
		}
		text := plain.Bytes()[12:]
		if f.Flags&1 == 0 || crc32.ChecksumIEEE(text) != f.CRC32 {
			t.Errorf("%s does not open with the password", name)
		}
		return string(text)
	}
	t.Fatalf("there is no %s in the archive", name)
	return ""
}

func TestRunScript(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{Scripts: []defendfake.Script{{ID: "s-2", Name: "Limit", File: "limit.ps1"}, {ID: "s-1", Name: "Collect", RequiresInput: true}}, MaxPage: 1})
	var ran string
	w.OnScript(func(_ edrtest.Host, name, input string) edrtest.Result {
		ran = name + ":" + input
		return edrtest.Result{Stdout: "done"}
	})
	a := c.get("/api/endpoint/scripts_library?pageSize=100")
	same(t, "the library", []any{a.at("total"), a.at("pageSize"), a.at("data", 0, "name"), a.at("data", 1)}, []any{2, 1, "Collect", nil})
	a = c.get("/api/endpoint/scripts_library?page=2")
	same(t, "its second page", a.at("data", 0, "id"), "s-2")
	a = c.get("/api/endpoint/scripts_library?kuery=" + `name:Limit&sortDirection=desc`)
	same(t, "what was looked for", []any{a.at("total"), a.at("data", 0, "id")}, []any{1, "s-2"})
	want(t, c.get("/api/endpoint/scripts_library?pageSize=1001"), http.StatusBadRequest, "lower than [1000]")
	want(t, c.get("/api/endpoint/scripts_library?kuery=("), http.StatusInternalServerError, "An internal server error occurred")
	want(t, c.post("/api/endpoint/action/runscript", `{"endpoint_ids":["`+web+`"],"parameters":{"scriptId":"s-9"}}`), http.StatusNotFound, "s-9")
	id := c.order("runscript", `{"endpoint_ids":["`+web+`"],"parameters":{"scriptId":"s-2","scriptInput":"--rate 5"}}`)
	w.Settle()
	same(t, "what ran", ran, "Limit:--rate 5")
	same(t, "the output", c.get("/api/endpoint/action/"+id).at("data", "outputs", web, "content", "stdout"), "done")
}

func TestFailedScript(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	id := c.order("execute", `{"endpoint_ids":["`+web+`"],"parameters":{"command":"x"}}`)
	w.Settle()
	a := c.get("/api/endpoint/action/" + id)
	same(t, "the status", []any{a.at("data", "status"), a.at("data", "outputs")}, []any{"failed", map[string]any{}})
}

// A process id that is not there is no error: nobody knows whether the process
// had ended. An entity id that is not there is one.
func TestKill(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	w.Change(web, func(h *edrtest.Host) {
		h.Processes = append(h.Processes, &edrtest.Process{PID: 5, Path: `C:\later.exe`, Start: noon().Add(time.Hour)})
	})
	procs := c.order("running_procs", `{"endpoint_ids":["`+web+`"]}`)
	w.Settle()
	entries := c.get("/api/endpoint/action/"+procs).list("data", "outputs", web, "content", "entries")
	if len(entries) != 2 {
		t.Fatalf("the host has %d processes, want 2: one has ended, and one has not begun", len(entries))
	}
	entry, _ := entries[1].(map[string]any)
	same(t, "the process", []any{entry["pid"], entry["command"], entry["user"]}, []any{"4242", `powershell.exe -File C:\t\up.ps1`, `HOSPITAL\anna`})
	kill := func(parameters string) (string, string) {
		id := c.order("kill_process", `{"endpoint_ids":["`+web+`"],"parameters":{`+parameters+`}}`)
		w.Settle()
		a := c.get("/api/endpoint/action/" + id)
		status, _ := a.at("data", "status").(string)
		code, _ := a.at("data", "outputs", web, "content", "code").(string)
		return status, code
	}
	for parameters, answer := range map[string][]string{
		`"pid":99`:           {"successful", "ra_kill-process_success_no-action"},
		`"entity_id":"nope"`: {"failed", "ra_kill-process_error_not-found"},
	} {
		status, code := kill(parameters)
		same(t, "the end of "+parameters, []string{status, code}, answer)
	}
	status, code := kill(`"entity_id":"` + entry["entity_id"].(string) + `"`)
	same(t, "the end", []string{status, code}, []string{"successful", "ra_kill-process_success_done"})
	h, _ := w.Host(web)
	if h.Processes[1].End.IsZero() || !h.Processes[0].End.IsZero() {
		t.Error("another process was ended")
	}
	published, c := serve(t, w, defendfake.Options{Published: true})
	_ = published
	procs = c.order("running_procs", `{"endpoint_ids":["`+web+`"]}`)
	w.Settle()
	same(t, "the id as a number", c.get("/api/endpoint/action/"+procs).at("data", "outputs", web, "content", "entries", 0, "pid"), 600)
}
