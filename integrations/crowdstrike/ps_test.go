package crowdstrike

import (
	"slices"
	"testing"
)

// The list as it was seen of a device, its lines in the form of the command.
const listing = "\r\n" +
	"Name                Id Start Time (UTC-7)   WorkingMemory(kb)    CPU(s) HandleCount Path                                  \r\n" +
	"----                -- ------------------   -----------------    ------ ----------- ----                                  \r\n" +
	"conhost           2216 4/8/2025 12:14:21 PM             5,612      0.05          93 C:\\Windows\\system32\\conhost.exe      \r\n" +
	"CSFalconService    488 3/27/2025 9:05:13 AM            60,196    312.31         671  \r\n" +
	"My App            4192 4/8/2025 12:14:21 PM             5,620      0.03          93 C:\\Program Files\\My App\\my app.exe   \r\n" +
	"Idle                 0                                      8                       0  \r\n" +
	"\r\nanything else\r\n"

func TestListsOfProcesses(t *testing.T) {
	got, ok := parseProcesses(listing)
	want := []listedProcess{
		{Name: "conhost", PID: 2216, Started: "4/8/2025 12:14:21 PM", Zone: "UTC-7", Path: `C:\Windows\system32\conhost.exe`},
		{Name: "CSFalconService", PID: 488, Started: "3/27/2025 9:05:13 AM", Zone: "UTC-7"},
		{Name: "My App", PID: 4192, Started: "4/8/2025 12:14:21 PM", Zone: "UTC-7", Path: `C:\Program Files\My App\my app.exe`},
		{Name: "Idle", PID: 0},
	}
	if !ok || !slices.Equal(got, want) {
		t.Errorf("the list is %+v, want %+v", got, want)
	}
	if _, ok := parseProcesses("something else\n"); ok {
		t.Error("a text without the head of a list is taken for one")
	}
}
