# Carries out what Stanch orders through Wazuh's active responses on this machine: cuts it
# off from all but its manager and what the order leaves open, and gives it back, ends one process, or runs a script.
#
# Put it with the three stanch-*.cmd beside it into active-response\bin of the agent. It
# reads one line of JSON, whose parameters.alert.data.stanch is the order, and writes what
# it did to the log of active responses, from which Wazuh makes an alert.
#
# What it keeps is in active-response\stanch: an order that is older than one that was
# carried out, that has expired, or that is for another agent, is refused.
param([ValidateSet('isolate', 'kill', 'run')][string]$Script)
# What comes by standard input is read by PowerShell itself, as lines, or left for the script.
$lines = @($input)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

$root = (Resolve-Path (Join-Path $PSScriptRoot '..\..')).Path
$log = Join-Path $root 'active-response\active-responses.log'
$folder = Join-Path $root 'active-response\stanch'
$scripts = Join-Path $folder 'scripts'
$kept = Join-Path $folder "$Script.json"
$group = 'Stanch isolation'
$hosts = Join-Path $env:SystemRoot 'System32\drivers\etc\hosts'
Add-Type -AssemblyName System.Numerics
$mark = ' # stanch' # the end of our lines in the file of hosts
$utf8 = New-Object System.Text.UTF8Encoding($false)

# What is kept from one order to the next. enable are the profiles of the firewall that were
# off before.
$state = @{ seq = 0; last = 0; isolated = $false; owner = ''; enable = @(); keys = @() }
$order = @{ verb = ''; agent = ''; key = ''; order = '0'; expires = '0'; pid = '0'; path = ''; started = ''; script = ''; args = @(); open = @() }

function Read-Kept {
    if (-not (Test-Path -LiteralPath $kept)) { return }
    $read = [System.IO.File]::ReadAllText($kept) | ConvertFrom-Json
    foreach ($property in $read.PSObject.Properties) { $state[$property.Name] = $property.Value }
    $state.enable = @($state.enable | Where-Object { $_ })
    $state.keys = @($state.keys | Where-Object { $_ })
}

# The old file is whole until the new one is.
function Write-Kept {
    $text = ConvertTo-Json -Compress -Depth 4 -InputObject $state
    [System.IO.File]::WriteAllText("$kept.new", $text, $utf8)
    Move-Item -LiteralPath "$kept.new" -Destination $kept -Force
}

function Say([string]$result, [string]$detail, [hashtable]$more) {
    $state.seq = [int64]$state.seq + 1
    Write-Kept
    $said = @{
        script = $Script; verb = [string]$order.verb; key = [string]$order.key; order = [string]$order.order
        result = $result; detail = $detail; seq = [string]$state.seq
    }
    if ($Script -eq 'isolate') {
        $said.state = $(if ($state.isolated) { 'isolated' } else { 'none' })
        $said.owner = [string]$state.owner
    }
    if ($null -ne $more) { foreach ($name in $more.Keys) { $said[$name] = [string]$more[$name] } }
    $program = "active-response/bin/stanch-$Script.cmd"
    $line = ConvertTo-Json -Compress -Depth 4 -InputObject @{
        version = 1; origin = @{ name = 'stanch'; module = 'active-response' }; command = 'add'
        parameters = @{ extra_args = @(); program = $program }; stanch = $said
    }
    $text = (Get-Date).ToString('yyyy/MM/dd HH:mm:ss', [System.Globalization.CultureInfo]::InvariantCulture) + " ${program}: $line`n"
    for ($try = 1; ; $try++) {
        try {
            [System.IO.File]::AppendAllText($log, $text, $utf8)
            return
        } catch {
            if ($try -ge 20) { throw }
            Start-Sleep -Milliseconds 250
        }
    }
}

function Get-Milliseconds { return [System.DateTimeOffset]::UtcNow.ToUnixTimeMilliseconds() }

# The id by which the manager knows this agent.
function Get-AgentId {
    $first = Get-Content -LiteralPath (Join-Path $root 'client.keys') -TotalCount 1
    return ([string]$first).Split(' ')[0]
}

function Read-Order {
    $text = [string]($lines | Select-Object -First 1)
    if ($text.Trim() -eq '') { $text = (New-Object System.IO.StreamReader([Console]::OpenStandardInput(), $utf8)).ReadLine() }
    $read = ($text | ConvertFrom-Json).parameters.alert.data.stanch
    foreach ($property in $read.PSObject.Properties) { $order[$property.Name] = $property.Value }
}

# Why the order is not carried out; empty where it is.
function Get-Refusal {
    if ([string]$order.agent -ne (Get-AgentId)) { return 'other_agent' }
    if ([int64]$order.order -le [int64]$state.last) { return 'stale' }
    if ((Get-Milliseconds) -gt [int64]$order.expires) { return 'expired' }
    return ''
}

# The managers that the agent's configuration names, each with its name, addresses and port.
function Get-Managers {
    $text = [System.IO.File]::ReadAllText((Join-Path $root 'ossec.conf'))
    $managers = @()
    foreach ($match in [regex]::Matches($text, '(?s)<server>.*?</server>')) {
        $named = [regex]::Match($match.Value, '<address>\s*([^<\s]+)\s*</address>')
        if (-not $named.Success) { continue }
        $name = $named.Groups[1].Value
        $port = 1514
        $given = [regex]::Match($match.Value, '<port>\s*(\d+)\s*</port>')
        if ($given.Success) { $port = [int]$given.Groups[1].Value }
        $managers += @{ name = $name; port = $port; addresses = @([System.Net.Dns]::GetHostAddresses($name)) }
    }
    if ($managers.Count -eq 0) { throw 'the agent''s configuration names no manager' }
    return , $managers
}

function Get-Number([System.Net.IPAddress]$address) {
    $bytes = $address.GetAddressBytes()
    [array]::Reverse($bytes)
    return New-Object System.Numerics.BigInteger(, [byte[]]($bytes + @([byte]0)))
}

function Get-Address([System.Numerics.BigInteger]$number, [int]$length) {
    $bytes = New-Object byte[] $length
    $digits = $number.ToByteArray()
    for ($i = 0; $i -lt [System.Math]::Min($length, $digits.Length); $i++) { $bytes[$length - 1 - $i] = $digits[$i] }
    return (New-Object System.Net.IPAddress(, $bytes)).ToString()
}

# The addresses of a network, from its first and the length of its prefix.
function Get-Span([System.Net.IPAddress]$address, [int]$prefix) {
    $bytes = $address.GetAddressBytes().Length
    if ($prefix -lt 1 -or $prefix -gt 8 * $bytes) { throw "invalid length of a prefix: $prefix" }
    $count = [System.Numerics.BigInteger]::Pow(2, 8 * $bytes - $prefix)
    $first = Get-Number $address
    if (-not [System.Numerics.BigInteger]::Remainder($first, $count).IsZero) { throw "no network begins at $address" }
    return @{ bytes = $bytes; first = $first; last = $first + $count - [System.Numerics.BigInteger]::One }
}

# What the order leaves open beside the managers. Where one of it cannot be read, nothing
# is changed.
function Get-Open {
    $open = @()
    foreach ($text in @($order.open | Where-Object { $_ })) {
        $read = [regex]::Match([string]$text, '^((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)/([0-9]{1,3})$')
        $address = $null
        if (-not $read.Success -or -not [System.Net.IPAddress]::TryParse($read.Groups[1].Value, [ref]$address)) { throw "invalid network: $text" }
        $open += Get-Span $address ([int]$read.Groups[2].Value)
    }
    if ($open.Count -gt 64) { throw 'more than 64 networks stay open' }
    return , $open
}

# All addresses of a family but these, as ranges: a rule that blocks goes before any that
# allows, so that what stays open must not be in it.
function Get-Others($open, [int]$length) {
    $spans = @($open | Where-Object { $_.bytes -eq $length } | Sort-Object -Property { $_.first })
    if ($spans.Count -eq 0) {
        if ($length -eq 4) { return @('0.0.0.0-255.255.255.255') }
        return @('::/1', '8000::/1')
    }
    $one = [System.Numerics.BigInteger]::One
    $next = [System.Numerics.BigInteger]::Zero
    $end = [System.Numerics.BigInteger]::Pow(256, $length) - $one
    $ranges = @()
    foreach ($span in $spans) {
        if ($span.first -gt $next) { $ranges += (Get-Address $next $length) + '-' + (Get-Address ($span.first - $one) $length) }
        if ($span.last -ge $next) { $next = $span.last + $one }
    }
    if ($next -le $end) { $ranges += (Get-Address $next $length) + '-' + (Get-Address $end $length) }
    return $ranges
}

# All ports but these, as ranges.
function Get-OtherPorts([int[]]$open) {
    $next = 0
    $ranges = @()
    foreach ($port in ($open | Sort-Object -Unique)) {
        if ($port -gt $next) { $ranges += "$next-$($port - 1)" }
        $next = $port + 1
    }
    if ($next -le 65535) { $ranges += "$next-65535" }
    return $ranges
}

function Add-Block([string]$direction, [hashtable]$of) {
    $null = New-NetFirewallRule -DisplayName "Stanch: block $direction" -Group $group -Direction $direction -Action Block -Profile Any -Enabled True @of
}

# Whether an address is in what the order leaves open.
function Test-Open([System.Net.IPAddress]$address, $open) {
    $bytes = $address.GetAddressBytes().Length
    $number = Get-Number $address
    return @($open | Where-Object { $_.bytes -eq $bytes -and $number -ge $_.first -and $number -le $_.last }).Count -gt 0
}

# Left open are the managers' ports, as a rule 1514, and 1515, where agents enrol; DHCP,
# without which the machine would lose its address; and what IPv6 finds its neighbours by.
# What the order leaves open is reached by the machine, by any port, and with what tunnels
# are made of; it does not reach the machine.
function Add-Rules($managers, $open) {
    $addresses = @($managers | ForEach-Object { $_.addresses } | ForEach-Object { $_ })
    $spans = @($open) + @($addresses | ForEach-Object { Get-Span $_ (8 * $_.GetAddressBytes().Length) })
    $others = @(Get-Others $spans 4) + @(Get-Others $spans 16)
    $names = @($addresses | Where-Object { -not (Test-Open $_ $open) } | ForEach-Object { $_.ToString() } | Sort-Object -Unique)
    $ports = @(Get-OtherPorts (@($managers | ForEach-Object { $_.port }) + @(1515)))
    Add-Block 'Outbound' @{ Protocol = 'TCP'; RemoteAddress = $others }
    Add-Block 'Inbound' @{ Protocol = 'TCP' }
    Add-Block 'Outbound' @{ Protocol = 'UDP'; RemoteAddress = $others; RemotePort = @('0-66', '68-546', '548-65535') }
    Add-Block 'Inbound' @{ Protocol = 'UDP'; LocalPort = @('0-67', '69-545', '547-65535') }
    if ($names.Count -gt 0) {
        Add-Block 'Outbound' @{ Protocol = 'TCP'; RemoteAddress = $names; RemotePort = $ports }
        Add-Block 'Outbound' @{ Protocol = 'UDP'; RemoteAddress = $names; RemotePort = $ports }
    }
    $closed = @(Get-Others $open 4) + @(Get-Others $open 16)
    foreach ($direction in 'Outbound', 'Inbound') {
        Add-Block $direction @{ Protocol = 'ICMPv4' }
        Add-Block $direction @{ Protocol = 'ICMPv6'; IcmpType = '128' }
        foreach ($protocol in '4', '41', '47', '50', '51', '132') {
            $of = @{ Protocol = $protocol }
            if ($open.Count -gt 0) { $of.RemoteAddress = $closed }
            Add-Block $direction $of
        }
    }
}

# A name must lead to its manager without a server of names, which is cut off.
function Add-Names($managers) {
    $text = ''
    foreach ($manager in $managers) {
        $address = $null
        if ([System.Net.IPAddress]::TryParse($manager.name, [ref]$address)) { continue }
        foreach ($found in $manager.addresses) { $text += [Environment]::NewLine + $found.ToString() + ' ' + $manager.name + $mark }
    }
    if ($text -ne '') { [System.IO.File]::AppendAllText($hosts, $text + [Environment]::NewLine, [System.Text.Encoding]::Default) }
}

function Remove-Names {
    $lines = @([System.IO.File]::ReadAllLines($hosts, [System.Text.Encoding]::Default))
    $others = @($lines | Where-Object { -not $_.EndsWith($mark) })
    if ($others.Count -ne $lines.Count) { [System.IO.File]::WriteAllLines($hosts, [string[]]$others, [System.Text.Encoding]::Default) }
}

function Test-Manager($managers) {
    foreach ($manager in $managers) {
        foreach ($address in $manager.addresses) {
            $client = New-Object System.Net.Sockets.TcpClient($address.AddressFamily)
            try {
                if ($client.ConnectAsync($address, $manager.port).Wait(5000) -and $client.Connected) { return $true }
            } catch {
                continue
            } finally {
                $client.Close()
            }
        }
    }
    return $false
}

function Enter-Isolation {
    foreach ($kind in @(Get-NetFirewallProfile -PolicyStore ActiveStore)) {
        if ([string]$kind.AllowLocalFirewallRules -eq 'False') { throw ('group policy lets the machine have no rules of its own in profile ' + $kind.Name) }
    }
    $managers = Get-Managers
    $open = Get-Open
    # Where the manager takes no TCP there is nothing to compare with afterwards.
    $reached = Test-Manager $managers
    $state.enable = @(Get-NetFirewallProfile | Where-Object { [string]$_.Enabled -ne 'True' } | ForEach-Object { $_.Name })
    Write-Kept
    Add-Names $managers
    Add-Rules $managers $open
    if ($state.enable.Count -gt 0) { Set-NetFirewallProfile -Name $state.enable -Enabled True }
    $active = @(Get-NetFirewallRule -PolicyStore ActiveStore | Where-Object { $_.Group -eq $group })
    if ($active.Count -eq 0) { throw 'the firewall does not take the rules' }
    if ($reached -and -not (Test-Manager $managers)) { throw 'the manager could not be reached any more' }
}

function Exit-Isolation {
    Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue | Remove-NetFirewallRule
    if (@(Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue).Count -gt 0) { throw 'rules of the firewall are left' }
    $enable = @($state.enable)
    if ($enable.Count -gt 0) { Set-NetFirewallProfile -Name $enable -Enabled False }
    $state.enable = @()
    Remove-Names
}

function Invoke-Isolate {
    $key = [string]$order.key
    switch ([string]$order.verb) {
        'isolate' {
            if ($state.isolated) {
                Say 'done' 'it was isolated before'
                return
            }
            # Until it is certain that it failed, it counts as done: then it is given back.
            $state.isolated = $true
            $state.owner = $key
            Write-Kept
            try {
                Enter-Isolation
            } catch {
                $why = $_.Exception.Message
                Exit-Isolation
                $state.isolated = $false
                $state.owner = ''
                Say 'failed' $why
                return
            }
            Say 'done' ''
        }
        'release' {
            if ($state.isolated -and [string]$state.owner -ne $key) {
                Say 'refused' 'another isolated it'
                return
            }
            Exit-Isolation
            $state.isolated = $false
            $state.owner = ''
            Say 'done' ''
        }
        default { Say 'refused' 'unknown verb' }
    }
}

# The object keeps the process that it found: a pid that is used again later is not it.
function Invoke-Kill {
    $process = Get-Process -Id ([int]$order.pid) -ErrorAction SilentlyContinue
    if ($null -eq $process) {
        Say 'gone' ''
        return
    }
    try {
        $null = $process.Handle
        # In base64, since what is not ASCII may come in another encoding.
        $path = $utf8.GetString([System.Convert]::FromBase64String([string]$order.path))
        if (-not [string]::Equals($process.MainModule.FileName, $path, [System.StringComparison]::OrdinalIgnoreCase)) {
            Say 'other' 'the image is another'
            return
        }
        if ([string]$order.started -ne '') {
            $since = ([System.DateTimeOffset]$process.StartTime).ToUnixTimeMilliseconds()
            if ([System.Math]::Abs($since - [int64]$order.started) -gt 2000) {
                Say 'other' 'it was started at another time'
                return
            }
        }
        $process.Kill()
        if ($process.WaitForExit(10000)) {
            Say 'ended' ''
            return
        }
        Say 'failed' 'it has not ended within ten seconds'
    } catch {
        if ($process.HasExited) {
            Say 'gone' 'it has ended by itself'
            return
        }
        Say 'failed' $_.Exception.Message
    }
}

# The output is reported in parts: a line of the log must not be long.
function Invoke-Run {
    if ($state.keys -contains [string]$order.key) { return }
    $state.keys = @(@($state.keys) + @([string]$order.key) | Select-Object -Last 100)
    Write-Kept
    $name = [string]$order.script
    if ($name -notmatch '^[A-Za-z0-9_-][A-Za-z0-9._-]*$') {
        Say 'refused' 'invalid name of a script'
        return
    }
    if (-not $name.EndsWith('.ps1')) { $name += '.ps1' }
    $file = Join-Path $scripts $name
    if (-not (Test-Path -LiteralPath $file)) {
        Say 'refused' 'there is no such script'
        return
    }
    $list = @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File', "`"$file`"")
    foreach ($arg in @($order.args)) {
        if ([string]$arg -notmatch '^[A-Za-z0-9._:/\\-]+$') {
            Say 'refused' 'invalid argument'
            return
        }
        $list += [string]$arg
    }
    $out = Join-Path $folder 'output.txt'
    $problems = Join-Path $folder 'errors.txt'
    $process = Start-Process -FilePath (Join-Path $PSHOME 'powershell.exe') -ArgumentList $list -PassThru -WindowStyle Hidden -RedirectStandardOutput $out -RedirectStandardError $problems
    $null = $process.Handle
    if (-not $process.WaitForExit(600000)) {
        $process.Kill()
        Say 'failed' 'it has not ended within ten minutes'
        return
    }
    $bytes = [System.IO.File]::ReadAllBytes($out)
    $size = 6000
    $from = [System.Math]::Max(0, $bytes.Length - 262144)
    $parts = [System.Math]::Max(1, [int][System.Math]::Ceiling(($bytes.Length - $from) / $size))
    for ($part = 1; $part -le $parts; $part++) {
        $at = $from + ($part - 1) * $size
        $text = [System.Convert]::ToBase64String($bytes, $at, [System.Math]::Min($size, $bytes.Length - $at))
        Say 'done' '' @{ exit = $process.ExitCode; part = $part; parts = $parts; output = $text }
    }
}

$null = New-Item -ItemType Directory -Force -Path $scripts
$mutex = New-Object System.Threading.Mutex($false, "Global\stanch-$Script")
try { $null = $mutex.WaitOne() } catch [System.Threading.AbandonedMutexException] { $null = $_ }
try {
    Read-Kept
    Read-Order
    $refusal = Get-Refusal
    if ($refusal -ne '') {
        Say $refusal ''
        exit 1
    }
    $state.last = [int64]$order.order
    Write-Kept
    switch ($Script) {
        'isolate' { Invoke-Isolate }
        'kill' { Invoke-Kill }
        'run' { Invoke-Run }
    }
} catch {
    Say 'failed' $_.Exception.Message
    exit 1
} finally {
    $mutex.ReleaseMutex()
}
