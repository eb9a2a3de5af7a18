// Verifies messages with mailauth, which lies in the folder node_modules of NODE_PATH.
// Input and output are those of dkimpy.py; the strict mode is asked for, which follows the
// standards. {"from", "spf", "dkim"} in place of a message asks for DMARC alone.
'use strict';

const readline = require('node:readline');
const { dkimVerify } = require('mailauth/lib/dkim/verify');
const { arc } = require('mailauth/lib/arc');
const { dmarc } = require('mailauth/lib/dmarc');

let records = {};

const failure = code => Object.assign(new Error(code), { code });

const resolver = async (name, type) => {
    const known = records[name.toLowerCase().replace(/\.$/, '')];
    if (known === undefined) {
        throw failure('ENOTFOUND');
    }
    if (type !== 'TXT' || known === '') {
        throw failure('ENODATA');
    }
    return [].concat(known).map(text => [text]);
};

const answer = async query => {
    if (query.from) {
        const d = await dmarc({
            headerFrom: [query.from],
            fromFields: 1,
            spfDomains: query.spf,
            dkimDomains: query.dkim.map(domain => ({ domain })),
            resolver,
            strict: true
        });
        return { dmarc: d ? d.status.result : 'none', policy: (d && d.policy) || '' };
    }
    const message = Buffer.from(query.message, 'base64');
    const found = await dkimVerify(message, { resolver, strict: true, minBitLength: 1024 });
    const signatures = found.results
        .filter(r => r.signingDomain !== undefined)
        .map(r => ({
            result: r.status.result,
            reason: r.status.comment || '',
            domain: r.signingDomain,
            selector: r.selector,
            underSized: r.status.underSized || 0
        }));
    const chain = await arc(found.arc, { resolver, strict: true, minBitLength: 1024 });
    return { dkim: signatures, arc: { result: chain ? chain.status.result : 'none', reason: (chain && chain.status.comment) || '' } };
};

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const query = JSON.parse(line);
        if (query.records) {
            records = query.records;
            continue;
        }
        let said;
        try {
            said = await answer(query);
        } catch (err) {
            said = { fault: err.message };
        }
        process.stdout.write(JSON.stringify(said) + '\n');
    }
})();
