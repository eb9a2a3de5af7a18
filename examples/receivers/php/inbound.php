<?php
// Receives mail from mxhook with nothing but PHP: it checks the signature, keeps each
// event once, and answers when it is on disk. As a script behind any web server, or
//
//     MXHOOK_SECRET=whsec_… php -d post_max_size=64M -S 127.0.0.1:3000 inbound.php
declare(strict_types=1);

const TOLERANCE = 5 * 60; // seconds that a request may be old, and clocks may differ

function answer(int $status, string $text): never
{
    http_response_code($status);
    header('Content-Type: text/plain');
    exit($text . "\n");
}

/** Whether who knows the secret has made this request, and lately (Standard Webhooks
 *  1.0.0). The header may hold several signatures, of a secret that is changed. */
function is_signed(string $secret, string $body): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!preg_match('/^[0-9]{1,12}$/D', $timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
        return false;
    }
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $secret, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $got) {
        if (hash_equals($want, $got)) {
            return true;
        }
    }
    return false;
}

/** Makes a file whose octets are on disk. */
function write(string $name, string $content): void
{
    $file = fopen($name, 'xb');
    if ($file === false || fwrite($file, $content) !== strlen($content) || !fsync($file) || !fclose($file)) {
        throw new RuntimeException('not written');
    }
}

/** Writes the event to a folder of its own, which appears whole or not at all. False for
 *  an event that is there already. */
function keep(string $folder, array $event, string $body): bool
{
    if (!preg_match('/^msg_[a-z2-7]{26}$/D', $event['id'])) {
        throw new RuntimeException('no event id');
    }
    $final = "$folder/{$event['id']}";
    $temporary = "$folder/.new-" . bin2hex(random_bytes(8));
    if (!mkdir($temporary, 0700, true)) {
        throw new RuntimeException('no folder');
    }
    try {
        write("$temporary/event.json", $body);
        foreach ($event['message']['attachments'] as $i => $attachment) {
            // $attachment['filename'] is a stranger's word: show it, never make a path of it.
            write("$temporary/attachment-" . ($i + 1), (string) base64_decode($attachment['content'], true));
        }
        if (@rename($temporary, $final)) { // fails where the event is there
            return true;
        }
        if (is_dir($final)) {
            return false;
        }
        throw new RuntimeException('not renamed');
    } finally {
        if (is_dir($temporary)) {
            array_map('unlink', glob("$temporary/*"));
            rmdir($temporary);
        }
    }
}

$secret = base64_decode(preg_replace('/^whsec_/', '', getenv('MXHOOK_SECRET') ?: ''), true);
if ($secret === false || $secret === '') {
    answer(503, 'MXHOOK_SECRET must be the secret of the sink: whsec_ and base64');
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    answer(405, 'POST only');
}
$body = (string) file_get_contents('php://input'); // as it came: the signature is over the octets
if (!is_signed($secret, $body)) {
    answer(401, 'wrong signature, or too old'); // the mail waits, and mxhook says why
}
try {
    $event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
    $is_new = keep(getenv('FOLDER') ?: 'inbox', $event, $body);
} catch (JsonException $e) {
    answer(400, 'no event');
} catch (RuntimeException $e) {
    error_log($e->getMessage());
    answer(503, 'not kept'); // the sender comes again
}
if ($is_new) {
    $author = implode(', ', array_column($event['message']['from'], 'address'));
    // Without from_verified anybody may have written the From field.
    error_log(sprintf('%s from=%s verified=%s subject=%s attachments=%d', $event['id'], json_encode($author),
        var_export($event['authentication']['from_verified'], true), json_encode($event['message']['subject']),
        count($event['message']['attachments'])));
}
answer(200, $is_new ? 'kept' : 'known'); // 2xx is a promise: it is on disk
