# Ends one process, if it is the one that is meant. Stanch runs it by live response; its
# last line of output is one JSON object that says what it did: ended, gone (no process has
# the pid), other (the pid is that of another process) or failed.
#
# Upload it to the library of live response under this name. The arguments are a pid, the
# path of the image as p and its base64url, and when the process was started in
# milliseconds since 1970, or 0 where that is not known.
param(
    [Parameter(Mandatory = $true, Position = 0)][int]$ProcessNumber,
    [Parameter(Mandatory = $true, Position = 1)][string]$EncodedPath,
    [Parameter(Mandatory = $true, Position = 2)][int64]$Started
)
$ErrorActionPreference = 'Stop'

function Say([string]$result, [string]$detail) {
    Write-Output (ConvertTo-Json -Compress -InputObject @{ result = $result; pid = $ProcessNumber; detail = $detail })
}

# The object keeps the process that it found: a pid that is used again later is not it.
$process = Get-Process -Id $ProcessNumber -ErrorAction SilentlyContinue
if ($null -eq $process) {
    Say 'gone' 'no process has the pid'
    exit 0
}

try {
    $null = $process.Handle
    $text = $EncodedPath.Substring(1).Replace('-', '+').Replace('_', '/')
    $text = $text.PadRight($text.Length + (4 - $text.Length % 4) % 4, '=')
    $path = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($text))
    if (-not [string]::Equals($process.MainModule.FileName, $path, [System.StringComparison]::OrdinalIgnoreCase)) {
        Say 'other' 'the image is another'
        exit 0
    }
    if ($Started -ne 0) {
        $since = ([System.DateTimeOffset]$process.StartTime).ToUnixTimeMilliseconds()
        if ([System.Math]::Abs($since - $Started) -gt 2000) {
            Say 'other' 'it was started at another time'
            exit 0
        }
    }
    $process.Kill()
    if ($process.WaitForExit(10000)) {
        Say 'ended' ''
        exit 0
    }
    Say 'failed' 'it has not ended within ten seconds'
    exit 1
} catch {
    if ($process.HasExited) {
        Say 'gone' 'it has ended by itself'
        exit 0
    }
    Say 'failed' $_.Exception.Message
    exit 1
}
