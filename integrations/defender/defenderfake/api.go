package defenderfake

import (
	"math"
	"net/http"
	"strings"
)

// operation is one of Defender's API.
type operation struct {
	roles  []string
	minute int // calls in a minute; 0: the documented 100
	serve  func(w http.ResponseWriter, r *http.Request) *refusal
}

// API serves Defender's own API.
func (d *Double) API() http.Handler {
	read := []string{readAll, readWriteAll}
	mux := http.NewServeMux()
	for pattern, o := range map[string]operation{
		"GET /api/machines":                       {roles: read, serve: d.listMachines},
		"GET /api/machines/{id}":                  {roles: read, serve: d.getMachine},
		"GET /api/machines/{id}/logonusers":       {roles: []string{readUsers}, serve: d.logonUsers},
		"POST /api/machines/{id}/isolate":         {roles: []string{isolate}, serve: d.isolate},
		"POST /api/machines/{id}/unisolate":       {roles: []string{isolate}, serve: d.unisolate},
		"POST /api/machines/{id}/tags":            {roles: []string{readWriteAll}, serve: d.changeTag},
		"POST /api/machines/{id}/runliveresponse": {roles: []string{liveResponse}, minute: liveResponsePerMinute, serve: d.runLiveResponse},
		"GET /api/machineactions":                 {roles: read, serve: d.listActions},
		"GET /api/machineactions/{id}":            {roles: read, serve: d.getAction},
		"POST /api/machineactions/{id}/cancel":    {roles: []string{isolate, liveResponse}, serve: d.cancel},
		"GET /api/machineactions/{id}/{link}":     {roles: read, serve: d.resultLink},
		"GET /api/libraryfiles":                   {roles: []string{manageLibrary}, serve: d.listLibrary},
		"POST /api/libraryfiles":                  {roles: []string{manageLibrary}, serve: d.upload},
		"DELETE /api/libraryfiles/{name}":         {roles: []string{manageLibrary}, serve: d.deleteFile},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { d.call(w, r, pattern, o) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		d.deny(w, refuse(http.StatusNotFound, "NotFound", "No HTTP resource was found that matches the request URI."))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Some of the samples write /API/.
		if rest, ok := strings.CutPrefix(r.URL.Path, "/API/"); ok {
			r.URL.Path, r.URL.RawPath = "/api/"+rest, ""
		}
		mux.ServeHTTP(w, r)
	})
}

func (d *Double) call(w http.ResponseWriter, r *http.Request, name string, o operation) {
	d.before(r)
	d.endScripts()
	refused := d.allow(r, o.roles...)
	if refused == nil && d.o.PerConnection > 0 {
		refused = d.limit("all", d.o.PerConnection, math.MaxInt)
	}
	if refused == nil {
		refused = d.limit(name, or(o.minute, or(d.o.PerMinute, perMinute)), or(d.o.PerHour, perHour))
	}
	if refused == nil {
		refused = o.serve(w, r)
	}
	if refused != nil {
		d.deny(w, refused)
	}
}
