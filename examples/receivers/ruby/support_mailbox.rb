# What the app does with its mail: app/mailboxes/support_mailbox.rb. Action Mailbox calls
# it after the request was answered; what fails here is tried again by Rails.
class SupportMailbox < ActionMailbox::Base
  # The first Authentication-Results field is mxhook's. Without dmarc=pass anybody may
  # have written the From field.
  def verified?
    Array(mail.header["Authentication-Results"]).first.to_s.match?(/\bdmarc=pass\b/)
  end

  def process
    mail.attachments.each.with_index(1) do |attachment, number|
      # The sender's filename is a fact to show, never a path.
      ActiveStorage::Blob.create_and_upload!(
        io: StringIO.new(attachment.body.decoded), filename: "attachment-#{number}",
        metadata: { "sender_filename" => attachment.filename }, identify: false
      )
    end
    Rails.logger.info "support mail from=#{mail.from&.first.inspect} verified=#{verified?} " \
      "subject=#{mail.subject.inspect} attachments=#{mail.attachments.size}"
  end
end
