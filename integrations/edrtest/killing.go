package edrtest

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
)

// Killing is for [World.OnScript]: a script of a name does on devices what
// stanch-kill.ps1 does, and others fail. Its arguments are the process's id, its image
// after a p, in base64url, and the milliseconds of Unix time of its start, or 0.
func Killing(script string) func(h Host, name, input string) Result {
	return func(h Host, name, input string) Result {
		args := strings.Fields(input)
		if name != script || len(args) != 3 || !strings.HasPrefix(args[1], "p") {
			return Result{Exit: 1, Stderr: "invalid arguments"}
		}
		pid, err1 := strconv.ParseInt(args[0], 10, 32)
		image, err2 := base64.RawURLEncoding.DecodeString(args[1][1:])
		started, err3 := strconv.ParseInt(args[2], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return Result{Exit: 1, Stderr: "invalid arguments"}
		}
		said, ends := h.EndIf(pid, string(image), started)
		line, _ := json.Marshal(map[string]any{"result": said, "pid": pid, "detail": ""})
		return Result{Stdout: "Transcript started\r\n" + string(line) + "\r\n", Ends: ends}
	}
}
