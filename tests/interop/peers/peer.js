// What the peers in JavaScript share: a line of JSON, and what a receipt's text says.
'use strict';

const RECEIPT = new RegExp(
    '^id:(?<id>\\S+) sub:(?<sub>\\d{3}) dlvrd:(?<dlvrd>\\d{3}) submit date:(?<submitted>\\d{10})'
    + ' done date:(?<done>\\d{10}) stat:(?<stat>[A-Z]{7}) err:(?<err>\\d{3}) text:', 'i');

exports.say = (message) => process.stdout.write(JSON.stringify(message) + '\n');

exports.parseReceipt = (text) => {
    const found = RECEIPT.exec(text);
    if (!found) throw new Error('a receipt in another form than that of SMPP 3.4, appendix B');
    return found.groups;
};
